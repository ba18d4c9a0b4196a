/*
 * Loading the configuration: read, check against the schema, load by libcyaml, build,
 * check across sections. The first mistake stops it with one line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_priv.h"

/* What config_load() hands out is the first member; the strings of its dataplane section
 * belong to `raw`. */
struct loaded {
	struct config config;
	struct raw_config *raw;
};

struct cyaml_report {
	char first[160]; /* the first line that libcyaml logged */
};

static void cyaml_report_line(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct cyaml_report *r = ctx;

	if (level < CYAML_LOG_ERROR || r->first[0] != '\0')
		return;
	vsnprintf(r->first, sizeof(r->first), fmt, args);
	r->first[strcspn(r->first, "\n")] = '\0';
}

static const cyaml_config_t *cyaml_config_get(struct cyaml_report *report)
{
	static _Thread_local cyaml_config_t config;

	config = (cyaml_config_t){
		.log_fn = cyaml_report_line,
		.log_ctx = report,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return &config;
}

static int fail_file(char *error, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail_file(char *error, const char *file, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_error_write(error, file, 0, "file", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int load_yaml(
	const struct config_doc *d, const char *text, size_t len, struct raw_config **raw)
{
	struct cyaml_report report = {""};
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, len, cyaml_config_get(&report),
		&config_schema, (cyaml_data_t **)raw, NULL);

	if (err == CYAML_OK && *raw != NULL)
		return 0;
	*raw = NULL;
	if (err == CYAML_ERR_ALIAS)
		return config_doc_fail(
			d, "", "aliases (*name) are not supported; write the value out");
	return config_doc_fail(d, "", "%s: %s; see configs/sallyport.yaml for what is possible",
		cyaml_strerror(err), report.first);
}

struct config *config_load_data(
	const char *file, const char *text, size_t len, char error[CONFIG_ERROR_LEN])
{
	struct config_doc doc;
	struct loaded *l;
	int err;

	error[0] = '\0';
	if (config_doc_init(&doc, file, text, len, error) < 0)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		fail_file(error, file, "out of memory; free some");
		config_doc_fini(&doc);
		return NULL;
	}
	snprintf(l->config.file, sizeof(l->config.file), "%s", file);
	err = config_doc_check(&doc, &config_schema);
	if (err == 0)
		err = load_yaml(&doc, text, len, &l->raw);
	if (err == 0 && dataplane_config_defaults(&l->raw->dataplane) < 0)
		err = fail_file(error, file, "out of memory; free some");
	if (err == 0) {
		l->config.dataplane = l->raw->dataplane;
		err = config_build(&doc, l->raw, &l->config);
	}
	if (err == 0)
		err = config_check(&doc, &l->config);
	config_doc_fini(&doc);
	if (err == 0)
		return &l->config;
	config_free(&l->config);
	return NULL;
}

/* The whole file, at most CONFIG_FILE_MAX bytes. @return length, or -EINVAL with error filled. */
static ssize_t file_read(const char *file, char *buf, char *error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return fail_file(error, file, "%s; name a readable file", strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fail_file(error, file, "not a regular file; name a YAML file");
	}
	while (len <= CONFIG_FILE_MAX) {
		ssize_t n = read(fd, buf + len, CONFIG_FILE_MAX + 1 - len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR) {
			close(fd);
			return fail_file(error, file, "%s; name a readable file", strerror(errno));
		}
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (len > CONFIG_FILE_MAX)
		return fail_file(error, file, "larger than 1 MiB; that is no configuration file");
	return (ssize_t)len;
}

struct config *config_load(const char *file, char error[CONFIG_ERROR_LEN])
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	struct config *c = NULL;
	ssize_t len;

	if (text == NULL) {
		fail_file(error, file, "out of memory; free some");
		return NULL;
	}
	len = file_read(file, text, error);
	if (len >= 0)
		c = config_load_data(file, text, (size_t)len, error);
	free(text);
	return c;
}

void config_free(struct config *c)
{
	struct loaded *l = (struct loaded *)c;
	struct cyaml_report report = {""};

	if (l == NULL)
		return;
	cyaml_free(cyaml_config_get(&report), &config_schema, l->raw, 0);
	free(c->realms);
	free(c->peers);
	free(c->routes);
	free(l);
}
