/*
 * Access to the message corpus: its folder, its tables, its files.
 */
#ifndef SALLYPORT_TESTS_CORPUS_H
#define SALLYPORT_TESTS_CORPUS_H

#include "base.h"

#define CORPUS_FILE_MAX (256u * 1024)
#define CORPUS_COLUMNS_MAX 10
#define CORPUS_EXIT_SKIP 77

/** Print "skipped: ..." and end the program with 77 if there is no corpus. */
void corpus_need(void);

/**
 * Read a file of the corpus; ends the program when it cannot be read.
 * @return its bytes; caller frees with free().
 */
char *corpus_read(const char *path, size_t *len);

/** A tab-separated table; the first line names the columns. */
struct corpus_table {
	char *text;
	struct str_view rest;
	struct str_view column[CORPUS_COLUMNS_MAX]; /* of the current row */
	unsigned int n_columns;
};

void corpus_table_open(struct corpus_table *t, const char *path);
/** @return false behind the last row. */
bool corpus_table_next(struct corpus_table *t);
void corpus_table_close(struct corpus_table *t);

#endif
