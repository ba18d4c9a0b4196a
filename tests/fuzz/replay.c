/*
 * main() for a fuzz target without libFuzzer: run it once on each file named, and
 * on each file in each folder named, and on cut and changed copies of them.
 * "corpus:NAME" is NAME in the corpus folder of $SALLYPORT_SHARED.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base.h"

#define FILE_LEN_MAX (1u << 20)
#define DEPTH_MAX 8
#define EXIT_SKIP 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned long n_inputs;

/* An exact copy on the heap, so that a sanitizer sees one byte read too far. */
static void run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		exit(1);
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	n_inputs++;
}

/* Some cuts and single-byte changes; the position comes from the bytes, so that a failure comes
 * again in the next run. */
static void run_changed(uint8_t *data, size_t len)
{
	static const uint8_t hostile[] = {0x00, '\r', '\n', ' ', '"', '<', ',', ';', 0x80, 0xff};
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ data[i]) * 16777619u;
	for (size_t i = 0; i < ARRAY_LEN(hostile) && len > 0; i++) {
		size_t at = h % len;
		uint8_t was = data[at];

		h = h * 1664525u + 1013904223u;
		data[at] = hostile[i];
		run(data, len);
		data[at] = was;
		run(data, at);
	}
}

static int replay_file(const char *path)
{
	uint8_t *data = malloc(FILE_LEN_MAX);
	FILE *f = fopen(path, "rb");
	size_t len;

	if (f == NULL || data == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		if (f != NULL)
			fclose(f);
		free(data);
		return -1;
	}
	len = fread(data, 1, FILE_LEN_MAX, f);
	fclose(f);
	run(data, len);
	run_changed(data, len);
	free(data);
	return 0;
}

static int replay_path(const char *path, unsigned int depth)
{
	struct dirent *entry;
	struct stat st;
	char sub[4096];
	int err = 0;
	DIR *dir;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = depth < DEPTH_MAX ? opendir(path) : NULL;
	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, entry->d_name) >= (int)sizeof(sub) ||
			replay_path(sub, depth + 1) != 0)
			err = -1;
	}
	closedir(dir);
	return err;
}

static const char *corpus_path(const char *arg, char *buf, size_t cap)
{
	const char *shared = getenv("SALLYPORT_SHARED");
	const size_t n = strlen("corpus:");

	if (strncmp(arg, "corpus:", n) != 0)
		return arg;
	snprintf(buf, cap, "%s/corpus/%s", shared != NULL ? shared : "../shared", arg + n);
	return buf;
}

int main(int argc, char **argv)
{
	char buf[4096];
	struct stat st;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|FOLDER|corpus:NAME...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		const char *path = corpus_path(argv[i], buf, sizeof(buf));

		if (path == buf && stat(path, &st) != 0) {
			printf("skipped: no corpus at %s: put it there or set SALLYPORT_SHARED\n",
				path);
			return EXIT_SKIP;
		}
		if (replay_path(path, 0) != 0)
			return 1;
	}
	printf("%lu inputs\n", n_inputs);
	return n_inputs > 0 ? 0 : 1;
}
