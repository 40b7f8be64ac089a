// What C++ does with exceptions: types, bases, destructors on the way, rethrowing, nesting.
#include <cstdio>
#include <stdexcept>
#include <string>

struct Guard {
  const char* name;
  ~Guard() { std::printf("~%s\n", name); }
};

static int thrower(int n) {
  Guard guard{"thrower"};
  switch (n) {
    case 0: throw std::runtime_error("zero");
    case 1: throw 42;
    case 2: throw std::string("two");
    case 3: throw 2.5;
  }
  return n;
}

static void rethrower(int n) {
  try {
    std::printf("%d\n", thrower(n));
  } catch (double) {
    throw std::out_of_range("double");
  } catch (...) {
    Guard guard{"rethrower"};
    throw;
  }
}

static long deep(long n) {
  struct Count {
    long& at;
    ~Count() { ++at; }
  };
  static long count = 0;
  Count one{count};
  if (n == 0) throw n;
  return deep(n - 1) + count;
}

int main() {
  for (int i = 0; i < 5; i++) {
    try {
      Guard guard{"main"};
      rethrower(i);
    } catch (const std::logic_error& e) {
      std::printf("logic error %s\n", e.what());
    } catch (const std::exception& e) {
      std::printf("exception %s\n", e.what());
    } catch (int x) {
      std::printf("int %d\n", x);
    } catch (...) {
      try {
        throw;
      } catch (std::string& s) {
        std::printf("string %s\n", s.c_str());
      }
    }
  }
  try {
    deep(1000);
  } catch (long n) {
    std::printf("deep %ld\n", n);
  }
  unsigned total = 0;
  for (int i = 0; i < 100000; i++) {
    try {
      if (i % 3 == 0) throw i;
      total += 1;
    } catch (int x) {
      total += x;
    }
  }
  std::printf("%u\n", total);
}
