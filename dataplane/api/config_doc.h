/*
 * The configuration file as a document, for whoever loads a part of it: keys, types and
 * counts held against a libcyaml schema, and the one line that a mistake becomes. Start-up only.
 */
#ifndef SALLYPORT_API_CONFIG_DOC_H
#define SALLYPORT_API_CONFIG_DOC_H

#include <yaml.h>

#include <cyaml/cyaml.h>

#include "base.h"

#define CONFIG_FILE_MAX (1u << 20) /* bytes; a larger file is refused */
#define CONFIG_PATH_MAX 128	   /* "realms[255].limits.sip_burst" */

/** The parsed document. */
struct config_doc {
	const char *file; /* its name; borrowed until config_doc_fini(), as are text and error */
	const char *text;
	size_t len;
	char *own; /* text, when config_doc_open() read it */
	yaml_document_t yaml;
	char *error; /* gets the line of the first mistake */
	size_t error_size;
};

/**
 * Read and parse a file.
 * @param error  gets one line on failure of this or any later call with the document; both
 *               programs give CONFIG_ERROR_LEN bytes.
 * @return 0, or -EINVAL with the line in error. Release with config_doc_fini().
 */
int config_doc_open(struct config_doc *d, const char *file, char *error, size_t error_size);

/** The same with a text in memory; file is the name for the line. */
int config_doc_init(struct config_doc *d, const char *file, const char *text, size_t len,
	char *error, size_t error_size);
void config_doc_fini(struct config_doc *d);

/**
 * Check the document against a schema, then load it by libcyaml.
 * @param schema  the whole file's: a pointer to a struct. CYAML_IGNORE skips a section.
 * @param data    gets the struct, NULL on failure. Caller frees with config_doc_data_free().
 * @return 0, or -EINVAL with the line in error.
 */
int config_doc_load(const struct config_doc *d, const cyaml_schema_value_t *schema, void **data);
void config_doc_data_free(const cyaml_schema_value_t *schema, void *data);

/**
 * Check a value that may stand alone or as a list of such (CYAML_IGNORE in the schema of the whole
 * file, since libcyaml has no such type).
 * @param list  schema of the list; its entries' is that of the value alone.
 * @return entries: 1 when it stands alone, 0 when the key is absent; or -EINVAL with the line in
 *         error.
 */
int config_doc_entries(
	const struct config_doc *d, const char *path, const cyaml_schema_value_t *list);
/** Path of entry i of such a value: "realms[0].media" alone, else "realms[0].media[1]". */
void config_doc_entry_path(
	const struct config_doc *d, const char *path, unsigned int i, char out[CONFIG_PATH_MAX]);
/** Does something stand at this path, be it an empty list? */
bool config_doc_has(const struct config_doc *d, const char *path);
/** The text at this path, "" if there is none. Borrowed until config_doc_fini(). */
const char *config_doc_text(const struct config_doc *d, const char *path);

/**
 * Write "FILE:LINE: path: what" into the document's error.
 * @param path  "dataplane.ports[1].name"; the line is that of this key or of the nearest one
 *              above it. "" is the file.
 * @param fmt   what is wrong; what would be right.
 * @return -EINVAL.
 */
int config_doc_fail(const struct config_doc *d, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
