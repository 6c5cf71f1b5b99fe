/*
 * Datagrams: a window of them is under way; for each that is back, another is sent.
 *
 *     udp PORT WINDOW BYTES SECONDS
 *
 * Lost ones are made up for after a tenth of a second of silence.
 */
#include "common.h"
#include <sys/time.h>

enum { MOST = 256 };

int main(int argc, char **argv) {
  int fd = connected(SOCK_DGRAM, number(argc, argv, 1));
  int window = number(argc, argv, 2);
  size_t size = number(argc, argv, 3);
  double seconds = seconds_of(argc, argv, 4);
  if (window > MOST) window = MOST;
  struct timeval patience = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  char *message = message_of(size, 1), *buffer = malloc(size * MOST);
  struct iovec out = {message, size}, in[MOST];
  struct mmsghdr sends[MOST] = {0}, receives[MOST] = {0};
  for (int i = 0; i < MOST; i++) {
    in[i] = (struct iovec){buffer + i * size, size};
    sends[i].msg_hdr = (struct msghdr){.msg_iov = &out, .msg_iovlen = 1};
    receives[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
  }

  alarm((unsigned)seconds + 20);
  double from = now(), cpu_from = cpu(), end = from + seconds;
  long done = 0;
  int due = window;
  while (now() < end) {
    int sent = due > 0 ? sendmmsg(fd, sends, due, 0) : 0;
    if (sent < 0) die("sendmmsg");
    int got = recvmmsg(fd, receives, MOST, MSG_WAITFORONE, NULL);
    if (got < 0 && errno != EAGAIN) die("recvmmsg");
    due = got < 0 ? window : got;
    if (got > 0) done += got;
  }
  report(done, from, cpu_from);
}
