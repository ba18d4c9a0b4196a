/*
 * The configuration file from the disk to a document, and from a document to structs:
 * what touches files and libcyaml.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_doc_priv.h"

/* The first line that libcyaml logged. */
struct report {
	char first[160];
};

static void report_line(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct report *r = ctx;

	if (level < CYAML_LOG_ERROR || r->first[0] != '\0')
		return;
	vsnprintf(r->first, sizeof(r->first), fmt, args);
	r->first[strcspn(r->first, "\n")] = '\0';
}

static int fail_file(const struct config_doc *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static int fail_file(const struct config_doc *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_doc_write(d, 0, "", fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* The whole file into d->own, which has room for CONFIG_FILE_MAX + 1 bytes. */
static int file_read(struct config_doc *d)
{
	int fd = open(d->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fail_file(d, "%s; name a readable file", strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return fail_file(d, "not a regular file; name a YAML file");
	}
	while (d->len <= CONFIG_FILE_MAX) {
		ssize_t n = read(fd, d->own + d->len, CONFIG_FILE_MAX + 1 - d->len);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR) {
			int err = errno;

			close(fd);
			return fail_file(d, "%s; name a readable file", strerror(err));
		}
		d->len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (d->len > CONFIG_FILE_MAX)
		return fail_file(d, "larger than 1 MiB; that is no configuration file");
	return 0;
}

int config_doc_open(struct config_doc *d, const char *file, char *error, size_t error_size)
{
	int err;

	*d = (struct config_doc){.file = file, .error = error, .error_size = error_size};
	d->own = malloc(CONFIG_FILE_MAX + 1);
	if (d->own == NULL)
		return fail_file(d, "out of memory; free some");
	d->text = d->own;
	err = file_read(d);
	if (err == 0)
		err = config_doc_parse(d);
	if (err < 0)
		free(d->own);
	return err;
}

int config_doc_load(const struct config_doc *d, const cyaml_schema_value_t *schema, void **data)
{
	struct report report = {""};
	const cyaml_config_t config = {
		.log_fn = report_line,
		.log_ctx = &report,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	cyaml_err_t err;

	*data = NULL;
	if (config_doc_check(d, schema) < 0)
		return -EINVAL;
	err = cyaml_load_data((const uint8_t *)d->text, d->len, &config, schema, data, NULL);
	if (err == CYAML_OK && *data != NULL)
		return 0;
	*data = NULL;
	return config_doc_fail(d, "", "%s: %s; see configs/sallyport.yaml for what is possible",
		cyaml_strerror(err), report.first);
}

void config_doc_data_free(const cyaml_schema_value_t *schema, void *data)
{
	static const cyaml_config_t config = {.mem_fn = cyaml_mem};

	cyaml_free(&config, schema, data, 0);
}
