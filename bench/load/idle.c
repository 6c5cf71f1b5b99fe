/*
 * Holds connections that do nothing.
 *
 *     idle PORT CONNECTIONS
 *
 * Opens them, lets each echo a line, and says so. For each line on its input, which is a number, it echoes
 * that many KiB over each, 64 KiB at a time and 500 connections at a time, and says so. Ends with its input.
 */
#include "common.h"

/* A piece fits into the buffers of the kernel, so that a send does not wait for the echo. */
enum { PIECE = 65536, GROUP = 500, LINE = 16 };

static void say(const char *what) {
  printf("%s\n", what);
  fflush(stdout);
}

/* Sends a piece over each, and then takes it back from each. */
static void exchange(const int *fds, int count, size_t size, const char *message, char *buffer) {
  for (int i = 0; i < count; i++) {
    if (send(fds[i], message, size, 0) != (ssize_t)size) die("send");
  }
  for (int i = 0; i < count; i++) {
    if (recv(fds[i], buffer, size, MSG_WAITALL) != (ssize_t)size) die("recv");
  }
}

/* Moves so much over each, in groups. */
static void move(const int *fds, int count, long kib, const char *message, char *buffer) {
  for (int first = 0; first < count; first += GROUP) {
    int size = count - first < GROUP ? count - first : GROUP;
    for (long left = kib * 1024; left > 0; left -= PIECE) {
      exchange(fds + first, size, left < PIECE ? left : PIECE, message, buffer);
    }
  }
}

int main(int argc, char **argv) {
  int port = number(argc, argv, 1), count = number(argc, argv, 2);
  int *fds = calloc(count, sizeof *fds);
  char *message = message_of(PIECE, PIECE / LINE), *buffer = malloc(PIECE);
  alarm(110);
  for (int i = 0; i < count; i++) {
    fds[i] = connected(SOCK_STREAM, port);
    round_trip(fds[i], message, buffer, LINE);
  }
  say("open");
  long kib;
  while (scanf("%ld", &kib) == 1) {
    move(fds, count, kib, message, buffer);
    say("moved");
  }
}
