/*
 * Where in a YAML file something is wrong: libcyaml's complaint made one line, and
 * the line number of a key's path. Only for start-up and `config check`.
 */
#ifndef SALLYPORT_API_YAML_WHERE_H
#define SALLYPORT_API_YAML_WHERE_H

#include <stdarg.h>

#include <cyaml/cyaml.h>

/** What libcyaml logged about one load. Zeroed is empty. */
struct yaml_complaint {
	char cause[256]; /* its first line */
	char path[256];	 /* "dataplane.ports[1].name", from its backtrace */
	unsigned int line;
};

/** cyaml_config.log_fn, with a struct yaml_complaint as log_ctx. */
void yaml_complaint_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args);

/** "FILE:LINE: PATH: CAUSE". @param fallback  cause when nothing was logged. */
void yaml_complaint_format(const struct yaml_complaint *c, const char *file, const char *fallback,
	char *out, size_t size);

/**
 * Line of a key, or of the closest parent that is there.
 * @param path  "dataplane.ports[1].name".
 * @return 1.., 0 when the file cannot be read.
 */
unsigned int yaml_where(const char *file, const char *path);

#endif
