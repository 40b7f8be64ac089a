// Lines, words and bytes of files, and the commonest words: a small tool that reads what it is given.
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char *text; unsigned long count; } Word;
enum { SLOTS = 1 << 16 };
static Word table[SLOTS];

static void add(const char *text) {
  unsigned h = 2166136261u;
  for (const char *p = text; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
  for (unsigned i = h % SLOTS;; i = (i + 1) % SLOTS) {
    if (!table[i].text) table[i].text = strdup(text);
    if (!strcmp(table[i].text, text)) { table[i].count++; return; }
  }
}

static int commonest(const void *a, const void *b) {
  const Word *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? 1 : -1;
  if (!x->text || !y->text) return (y->text != NULL) - (x->text != NULL);
  return strcmp(x->text, y->text);
}

static int count(const char *name, FILE *f) {
  unsigned long lines = 0, words = 0, bytes = 0, distinct = 0;
  char word[64];
  size_t n = 0;
  for (int c; (c = getc(f)) != EOF; bytes++) {
    lines += c == '\n';
    if (isalnum(c)) {
      if (n < sizeof word - 1) word[n++] = (char)tolower(c);
    } else if (n) {
      word[n] = 0; n = 0; words++;
      add(word);
    }
  }
  if (n) { word[n] = 0; words++; add(word); }
  if (ferror(f)) { fprintf(stderr, "count: %s: %s\n", name, strerror(errno)); return 1; }
  for (int i = 0; i < SLOTS; i++) distinct += table[i].text != NULL;
  printf("%s: %lu lines, %lu words (%lu distinct so far), %lu bytes\n", name, lines, words, distinct, bytes);
  return 0;
}

int main(int argc, char **argv) {
  int failed = 0;
  if (argc == 1) failed = count("standard input", stdin);
  for (int i = 1; i < argc; i++) {
    FILE *f = fopen(argv[i], "r");
    if (!f) { fprintf(stderr, "count: %s: %s\n", argv[i], strerror(errno)); failed = 1; continue; }
    failed |= count(argv[i], f);
    fclose(f);
  }
  qsort(table, SLOTS, sizeof *table, commonest);
  for (int i = 0; i < 10 && table[i].text; i++) printf("%8lu %s\n", table[i].count, table[i].text);
  return failed;
}
