// A plugin as somebody might write one; what it exports has the names and types of C.
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name))) name

struct range { int first, last; };

__attribute__((import_module("host"), import_name("log"))) void host_log(const char *text, int size);

unsigned EXPORT(count)(const char *text, size_t size, char letter) {
  unsigned found = 0;
  for (size_t i = 0; i < size; i++) found += text[i] == letter;
  return found;
}

char *EXPORT(reversed)(const char *text) {
  size_t size = strlen(text);
  char *made = malloc(size + 1);
  for (size_t i = 0; i < size; i++) made[i] = text[size - 1 - i];
  made[size] = 0;
  host_log(made, size);
  return made;
}

double EXPORT(mean)(const double *values, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += values[i];
  return sum / n;
}

struct range EXPORT(around)(long long middle, int width) {
  return (struct range){middle - width, middle + width};
}
