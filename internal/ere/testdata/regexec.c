/* Reads lines "flags pattern subject": the flags i (REG_ICASE), n (REG_NEWLINE)
 * and s (REG_NOSUB), or - for none; pattern and subject in hexadecimal digits
 * behind a colon. Says what regcomp(3) and regexec(3) do with them: E and the
 * error's number, N, or M and the offsets; T where they need more than
 * 0.03 s, and ends. */
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static void late(int s) {
  (void)s;
  _exit(write(1, "T\n", 2) != 2);
}

static void octets(char *hex) {
  char *out = hex, *in = hex + 1;
  unsigned c;
  for (; sscanf(in, "%2x", &c) == 1; in += 2) *out++ = c;
  *out = 0;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  static char flags[16], pattern[1 << 20], subject[1 << 20];
  struct rlimit memory = {1UL << 30, 1UL << 30};
  struct itimerval most = {{0, 0}, {0, 30000}};
  setrlimit(RLIMIT_AS, &memory);
  signal(SIGVTALRM, late);
  while (scanf("%15s %1048575s %1048575s", flags, pattern, subject) == 3) {
    regex_t re;
    regmatch_t m[40];
    int c = REG_EXTENDED, err;
    if (strchr(flags, 'i')) c |= REG_ICASE;
    if (strchr(flags, 'n')) c |= REG_NEWLINE;
    if (strchr(flags, 's')) c |= REG_NOSUB;
    octets(pattern);
    octets(subject);
    setitimer(ITIMER_VIRTUAL, &most, NULL);
    if ((err = regcomp(&re, pattern, c))) {
      printf("E%d\n", err);
      continue;
    }
    if ((err = regexec(&re, subject, c & REG_NOSUB ? 0 : 40, m, 0))) {
      printf(err == REG_NOMATCH ? "N\n" : "X%d\n", err);
    } else {
      printf("M");
      for (size_t i = 0; !(c & REG_NOSUB) && i <= re.re_nsub && i < 40; i++) printf(" %d %d", m[i].rm_so, m[i].rm_eo);
      printf("\n");
    }
    regfree(&re);
  }
  return 0;
}
