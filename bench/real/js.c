// QuickJS: run a script, which has `print` and `read`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "quickjs.h"

static char *slurp(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char *text = malloc(*size + 1);
  text[fread(text, 1, *size, file)] = 0;
  fclose(file);
  return text;
}

static JSValue print(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  for (int i = 0; i < count; i++) {
    const char *text = JS_ToCString(context, values[i]);
    if (!text) return JS_EXCEPTION;
    printf("%s%s", i ? " " : "", text);
    JS_FreeCString(context, text);
  }
  printf("\n");
  return JS_UNDEFINED;
}

static JSValue read_file(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  size_t size;
  const char *path = JS_ToCString(context, values[0]);
  char *text = slurp(path, &size);
  JS_FreeCString(context, path);
  if (!text) return JS_ThrowReferenceError(context, "cannot read it");
  JSValue value = JS_NewStringLen(context, text, size);
  free(text);
  return value;
}

int main(int argc, char **argv) {
  size_t size;
  char *text = argc > 1 ? slurp(argv[1], &size) : NULL;
  if (!text) {
    fprintf(stderr, "cannot read the script\n");
    return 2;
  }
  JSContext *context = JS_NewContext(JS_NewRuntime());
  JSValue global = JS_GetGlobalObject(context);
  JS_SetPropertyStr(context, global, "print", JS_NewCFunction(context, print, "print", 1));
  JS_SetPropertyStr(context, global, "read", JS_NewCFunction(context, read_file, "read", 1));
  JSValue value = JS_Eval(context, text, size, argv[1], JS_EVAL_TYPE_GLOBAL);
  if (JS_IsException(value)) {
    fprintf(stderr, "%s\n", JS_ToCString(context, JS_GetException(context)));
    return 1;
  }
  return 0;
}
