// A plugin: the host gives it an order and a function to ask for prices; it answers with a total.
__attribute__((import_module("shop"), import_name("price"))) double price(int article);
__attribute__((import_module("shop"), import_name("note"))) void note(const char *text, int size);

static char order[4096];

// Where the host writes an order: pairs of article number and quantity.
__attribute__((export_name("order"))) char *place(void) { return order; }

__attribute__((export_name("total"))) double total(int lines) {
  const int *line = (const int *)order;
  double sum = 0;
  for (int i = 0; i < lines; i++) {
    double each = price(line[2 * i]);
    int quantity = line[2 * i + 1];
    sum += each * quantity * (quantity >= 10 ? 0.9 : 1.0);
  }
  if (sum > 1000) {
    static const char text[] = "a large order: please check";
    note(text, sizeof text - 1);
  }
  return sum;
}
