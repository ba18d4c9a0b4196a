/*
 * Loading the configuration: the document against the schema, the dataplane's section,
 * build, check across sections. The first mistake stops it with one line.
 */
#include "config_priv.h"

/* What config_load() hands out is the first member; the strings of its dataplane section
 * belong to `raw`. */
struct loaded {
	struct config config;
	struct raw_config *raw;
};

/* The rest of loading, for both sources. Releases the document. */
static struct config *doc_load(struct config_doc *doc)
{
	struct loaded *l = calloc(1, sizeof(*l));
	void *raw = NULL;
	int err;

	if (l == NULL) {
		config_doc_fail(doc, "", "out of memory; free some");
		config_doc_fini(doc);
		return NULL;
	}
	snprintf(l->config.file, sizeof(l->config.file), "%s", doc->file);
	err = config_doc_load(doc, &config_schema, &raw);
	l->raw = raw;
	if (err == 0)
		err = dataplane_config_complete(doc, &l->raw->dataplane);
	if (err == 0) {
		l->config.dataplane = l->raw->dataplane;
		err = config_build(doc, l->raw, &l->config);
	}
	if (err == 0)
		err = config_check(doc, &l->config);
	config_doc_fini(doc);
	if (err == 0)
		return &l->config;
	config_free(&l->config);
	return NULL;
}

struct config *config_load_data(
	const char *file, const char *text, size_t len, char error[CONFIG_ERROR_LEN])
{
	struct config_doc doc;

	error[0] = '\0';
	if (config_doc_init(&doc, file, text, len, error, CONFIG_ERROR_LEN) < 0)
		return NULL;
	return doc_load(&doc);
}

struct config *config_load(const char *file, char error[CONFIG_ERROR_LEN])
{
	struct config_doc doc;

	error[0] = '\0';
	if (config_doc_open(&doc, file, error, CONFIG_ERROR_LEN) < 0)
		return NULL;
	return doc_load(&doc);
}

void config_free(struct config *c)
{
	struct loaded *l = (struct loaded *)c;

	if (l == NULL)
		return;
	/* Also what a realm that failed half-way had. */
	for (unsigned int i = 0; c->realms != NULL && i < l->raw->realms_count; i++) {
		free(c->realms[i].permit);
		free(c->realms[i].deny);
	}
	config_doc_data_free(&config_schema, l->raw);
	free(c->realms);
	free(c->peers);
	free(c->routes);
	free(c->policies);
	free(l);
}
