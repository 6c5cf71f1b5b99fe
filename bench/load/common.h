/* What the load generators share: time, connections, and the one line of JSON that each prints. */
#ifndef COMMON_H
#define COMMON_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char *what) {
  perror(what);
  exit(1);
}

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

/* Processor time of this process, in seconds. */
static inline double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec +
         (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The server's address on the loopback. */
static inline struct sockaddr_in server(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

/* A connected socket, or the end of the program. */
static inline int connected(int type, int port) {
  struct sockaddr_in a = server(port);
  int fd = socket(AF_INET, type, 0);
  if (fd < 0) die("socket");
  if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) die("connect");
  return fd;
}

/* Sends all of it and reads as much back, which must be the same. */
static inline void round_trip(int fd, const char *message, char *buffer, size_t size) {
  if (send(fd, message, size, 0) != (ssize_t)size) die("send");
  if (recv(fd, buffer, size, MSG_WAITALL) != (ssize_t)size) die("recv");
  if (memcmp(message, buffer, size) != 0) {
    fprintf(stderr, "the echo differs from what was sent\n");
    exit(1);
  }
}

/* A message of `lines` lines that end in a line feed. */
static inline char *message_of(size_t size, size_t lines) {
  char *message = malloc(size);
  for (size_t i = 0; i < size; i++) message[i] = 'a' + i % 26;
  for (size_t i = 1; i <= lines; i++) message[i * (size / lines) - 1] = '\n';
  return message;
}

/* A number among the arguments. */
static inline long number(int argc, char **argv, int i) {
  if (i >= argc) {
    fprintf(stderr, "argument %d is missing\n", i);
    exit(2);
  }
  return atol(argv[i]);
}

static inline double seconds_of(int argc, char **argv, int i) {
  number(argc, argv, i);
  return atof(argv[i]);
}

/* The result: how much, in which time, and which part of that time this process was busy. */
static inline void report(double count, double from, double cpu_from) {
  double took = now() - from;
  printf("{\"count\":%.3f,\"seconds\":%.6f,\"busy\":%.3f}\n", count, took,
         (cpu() - cpu_from) / took);
}
#endif
