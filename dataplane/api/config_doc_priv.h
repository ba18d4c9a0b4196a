/*
 * Shared by the files that make a document, walk it and load it (config_doc.c,
 * config_walk.c, config_file.c).
 */
#ifndef SALLYPORT_API_CONFIG_DOC_PRIV_H
#define SALLYPORT_API_CONFIG_DOC_PRIV_H

#include <stdarg.h>

#include "config_doc.h"

/**
 * Write "FILE:LINE: path: what", or "FILE: what" where line is 0; cut at the error's size,
 * control characters replaced.
 * @return -EINVAL.
 */
int config_doc_write(const struct config_doc *d, unsigned int line, const char *path,
	const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

/** Parse d->text into d->yaml. @return 0, or -EINVAL with the line written and nothing to free. */
int config_doc_parse(struct config_doc *d);

/** Check keys, types and counts against the schema. @return 0, or -EINVAL with the line written. */
int config_doc_check(const struct config_doc *d, const cyaml_schema_value_t *schema);
/** The same for one node, which stands at this path. */
int config_doc_check_node(const struct config_doc *d, const yaml_node_t *node, const char *path,
	const cyaml_schema_value_t *schema);

#endif
