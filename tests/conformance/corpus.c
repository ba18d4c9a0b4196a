/*
 * The corpus lies outside of the project: $SALLYPORT_SHARED/corpus.
 */
#include "corpus.h"

#include <errno.h>
#include <unistd.h>

static const char *shared(void)
{
	const char *dir = getenv("SALLYPORT_SHARED");

	return dir != NULL ? dir : "../shared";
}

void corpus_need(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/corpus/README.md", shared());
	if (access(path, R_OK) != 0) {
		printf("skipped: no corpus at %s/corpus: put it there or set SALLYPORT_SHARED\n",
			shared());
		exit(CORPUS_EXIT_SKIP);
	}
}

char *corpus_read(const char *path, size_t *len)
{
	char *buf = malloc(CORPUS_FILE_MAX);
	char full[4096];
	FILE *f;

	snprintf(full, sizeof(full), "%s/corpus/%s", shared(), path);
	f = fopen(full, "rb");
	if (f == NULL || buf == NULL) {
		fprintf(stderr, "%s: %s\n", full, strerror(errno));
		exit(1);
	}
	*len = fread(buf, 1, CORPUS_FILE_MAX, f);
	fclose(f);
	return buf;
}

/* Take what stands before c off v, and c. */
static struct str_view part_take(struct str_view *v, char c)
{
	const char *at = memchr(v->p, c, v->len);
	size_t n = at != NULL ? (size_t)(at - v->p) : v->len;
	struct str_view out = {v->p, n};

	n += at != NULL;
	v->p += n;
	v->len -= n;
	return out;
}

void corpus_table_open(struct corpus_table *t, const char *path)
{
	*t = (struct corpus_table){.n_columns = 0};
	t->text = corpus_read(path, &t->rest.len);
	t->rest.p = t->text;
	part_take(&t->rest, '\n');
}

bool corpus_table_next(struct corpus_table *t)
{
	struct str_view line;

	if (t->rest.len == 0)
		return false;
	line = part_take(&t->rest, '\n');
	for (t->n_columns = 0; t->n_columns < CORPUS_COLUMNS_MAX && line.len > 0; t->n_columns++)
		t->column[t->n_columns] = part_take(&line, '\t');
	return true;
}

void corpus_table_close(struct corpus_table *t)
{
	free(t->text);
}
