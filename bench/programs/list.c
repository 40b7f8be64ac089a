// A shuffled linked list, walked: every load waits for the one before.
#include <stdlib.h>
typedef struct Cell { struct Cell *next; unsigned value; } Cell;
#define CELLS 65536
unsigned run(unsigned n) {
  Cell *cells = malloc(CELLS * sizeof *cells);
  unsigned *order = malloc(CELLS * sizeof *order), r = 99, h = 0;
  for (unsigned i = 0; i < CELLS; i++) order[i] = i;
  for (unsigned i = CELLS - 1; i; i--) {
    r = r * 1664525u + 1013904223u;
    unsigned j = (r >> 8) % (i + 1), t = order[i];
    order[i] = order[j]; order[j] = t;
  }
  for (unsigned i = 0; i < CELLS; i++) {
    cells[order[i]].next = &cells[order[(i + 1) % CELLS]];
    cells[order[i]].value = i;
  }
  for (Cell *c = cells; n--; c = c->next) h = h * 3 + c->value;
  free(cells); free(order);
  return h;
}
