/*
 * Holds TLS connections that do nothing.
 *
 *     tls_idle PORT CONNECTIONS
 *
 * Opens them, lets each echo once, and says so. Ends with its input.
 */
#include "tls.h"

int main(int argc, char **argv) {
  int port = number(argc, argv, 1), count = number(argc, argv, 2);
  SSL_CTX *context = client_context();
  char *message = message_of(16, 1), buffer[16];
  alarm(110);
  for (int i = 0; i < count; i++) {
    round_trip_tls(connected_tls(context, port), message, buffer, sizeof buffer);
  }
  printf("open\n");
  fflush(stdout);
  while (getchar() != EOF) continue;
}
