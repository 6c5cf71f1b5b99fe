/* What the load generators over TLS share besides common.h: a context that accepts any certificate, and sessions. */
#ifndef TLS_H
#define TLS_H
#include "common.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

static inline void die_tls(const char *what) {
  fprintf(stderr, "%s: ", what);
  if (ERR_peek_error() != 0) {
    ERR_print_errors_fp(stderr);
    exit(1);
  }
  if (errno != 0) die("system");
  fprintf(stderr, "the server closed the connection\n");
  exit(1);
}

/* Settings for all sessions. Idle sessions keep no buffers. */
static inline SSL_CTX *client_context(void) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (context == NULL) die_tls("SSL_CTX_new");
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  return context;
}

/* A session on a connection, before its handshake. */
static inline SSL *session_on(SSL_CTX *context, int fd) {
  SSL *ssl = SSL_new(context);
  if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) die_tls("SSL_new");
  return ssl;
}

/* What a call waits for, as events of epoll, or the end of the program. */
static inline unsigned wanted(SSL *ssl, int result, const char *what) {
  switch (SSL_get_error(ssl, result)) {
  case SSL_ERROR_WANT_READ:
    return EPOLLIN;
  case SSL_ERROR_WANT_WRITE:
    return EPOLLIN | EPOLLOUT;
  default:
    die_tls(what);
    return 0;
  }
}

/* A session after its handshake, on a socket that blocks. */
static inline SSL *connected_tls(SSL_CTX *context, int port) {
  SSL *ssl = session_on(context, connected(SOCK_STREAM, port));
  if (SSL_connect(ssl) != 1) die_tls("SSL_connect");
  return ssl;
}

/* Sends all of it and reads as much back, which must be the same; on a socket that blocks. */
static inline void round_trip_tls(SSL *ssl, const char *message, char *buffer, size_t size) {
  for (size_t sent = 0, n; sent < size; sent += n) {
    if (SSL_write_ex(ssl, message + sent, size - sent, &n) != 1) die_tls("SSL_write");
  }
  for (size_t got = 0, n; got < size; got += n) {
    if (SSL_read_ex(ssl, buffer + got, size - got, &n) != 1) die_tls("SSL_read");
  }
  if (memcmp(message, buffer, size) != 0) {
    fprintf(stderr, "the echo differs from what was sent\n");
    exit(1);
  }
}
#endif
