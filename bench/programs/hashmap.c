// Word counts in a chained hash map: allocation, strings, pointers.
#include <stdlib.h>
#include <string.h>
typedef struct Node { struct Node *next; char *key; unsigned count; } Node;
#define BUCKETS 4096
static Node *bucket[BUCKETS];
static unsigned hash(const char *s) {
  unsigned h = 2166136261u;
  while (*s) h = (h ^ (unsigned char)*s++) * 16777619u;
  return h;
}
static Node *find(const char *key) {
  Node **at = &bucket[hash(key) % BUCKETS];
  for (Node *n = *at; n; n = n->next)
    if (strcmp(n->key, key) == 0) return n;
  Node *n = malloc(sizeof *n);
  n->key = malloc(strlen(key) + 1);
  strcpy(n->key, key);
  n->count = 0;
  n->next = *at;
  return *at = n;
}
unsigned run(unsigned n) {
  unsigned r = 88172645u, h = 0;
  char key[16];
  memset(bucket, 0, sizeof bucket);
  for (unsigned i = 0; i < n; i++) {
    r = r * 1664525u + 1013904223u;
    unsigned w = (r >> 12) % 6000, k = 0;
    do key[k++] = 'a' + w % 26; while (w /= 26);
    memcpy(key + k, "-word", 6);
    find(key)->count++;
  }
  for (unsigned i = 0; i < BUCKETS; i++)
    for (Node *x = bucket[i], *next; x; x = next) {
      h = h * 31 + x->count;
      next = x->next;
      free(x->key); free(x);
    }
  return h;
}
