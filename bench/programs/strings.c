// Text: make lines, search them, change case, reverse words.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
static const char *words[] = {"the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "wasm"};
unsigned run(unsigned n) {
  unsigned r = 1, h = 0;
  char line[256];
  for (unsigned i = 0; i < n; i++) {
    line[0] = 0;
    for (int k = 0; k < 12; k++) {
      r = r * 1103515245u + 12345u;
      if (k) strcat(line, " ");
      strcat(line, words[(r >> 16) % 10]);
    }
    if (strstr(line, "fox jumps")) h += 17;
    if (strstr(line, "lazy dog")) h ^= 0x5bd1e995u;
    for (char *p = line; *p; p++) *p = (char)toupper((unsigned char)*p);
    for (char *p = line; *p;) {
      char *q = p;
      while (*q && *q != ' ') q++;
      for (char *a = p, *b = q - 1; a < b; a++, b--) { char t = *a; *a = *b; *b = t; }
      p = *q ? q + 1 : q;
    }
    for (char *p = line; *p; p++) h = h * 33 + (unsigned char)*p;
  }
  return h;
}
