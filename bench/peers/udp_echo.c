/* The limit for datagrams: an echo in C, a call for each. Prints its port. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

int main(void) {
  static char buffer[65536];
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t length = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(fd, (struct sockaddr *)&a, length) < 0) return 1;
  getsockname(fd, (struct sockaddr *)&a, &length);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  for (;;) {
    length = sizeof a;
    ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&a, &length);
    if (n >= 0) sendto(fd, buffer, n, 0, (struct sockaddr *)&a, length);
  }
}
