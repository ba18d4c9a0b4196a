/*
 * The interactive shell: libedit's line editing, history, completion by TAB.
 */
#include <histedit.h>

#include "cli.h"

#define WORDS_MAX 8

static const char *prompt(EditLine *el)
{
	return "sally> ";
}

/* Split in place at blanks. @return words found, at most WORDS_MAX. */
static unsigned int split(char *line, const char *words[WORDS_MAX])
{
	unsigned int n = 0;

	while (n < WORDS_MAX) {
		line += strspn(line, " \t\r\n");
		if (*line == '\0')
			break;
		words[n++] = line;
		line += strcspn(line, " \t\r\n");
		if (*line == '\0')
			break;
		*line++ = '\0';
	}
	return n;
}

/* TAB: insert what all candidates share; list them when that is nothing more. */
static unsigned char complete(EditLine *el, int ch)
{
	const LineInfo *info = el_line(el);
	const char *words[WORDS_MAX], *first, *other;
	char line[256], rest[64];
	size_t len = (size_t)(info->cursor - info->buffer), start = len, common;
	struct str_view prefix;
	unsigned int n;

	if (len >= sizeof(line))
		return CC_ERROR;
	while (start > 0 && info->buffer[start - 1] != ' ')
		start--;
	memcpy(line, info->buffer, start);
	line[start] = '\0';
	prefix = (struct str_view){info->buffer + start, len - start};
	n = split(line, words);
	first = command_complete(words, n, prefix, 0);
	if (first == NULL)
		return CC_ERROR;
	common = strlen(first);
	for (unsigned int i = 1; (other = command_complete(words, n, prefix, i)) != NULL; i++) {
		size_t same = 0;

		while (same < common && other[same] == first[same])
			same++;
		common = same;
	}
	snprintf(rest, sizeof(rest), "%.*s%s", (int)(common - prefix.len), first + prefix.len,
		command_complete(words, n, prefix, 1) == NULL ? " " : "");
	if (rest[0] != '\0')
		return el_insertstr(el, rest) == 0 ? CC_REFRESH : CC_ERROR;
	fputc('\n', stdout);
	for (unsigned int i = 0; (other = command_complete(words, n, prefix, i)) != NULL; i++)
		printf("%s  ", other);
	fputc('\n', stdout);
	return CC_REDISPLAY;
}

int shell_run(struct cli *cli)
{
	History *hist = history_init();
	EditLine *el = el_init("sally", stdin, stdout, stderr);
	const char *line, *words[WORDS_MAX];
	HistEvent ev;
	int count;

	if (hist == NULL || el == NULL)
		return CLI_REFUSED;
	history(hist, &ev, H_SETSIZE, 200);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_HIST, history, hist);
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_ADDFN, "sally-complete", "complete a word", complete);
	el_set(el, EL_BIND, "^I", "sally-complete", NULL);
	while ((line = el_gets(el, &count)) != NULL && count > 0) {
		char *copy = strdup(line);
		unsigned int n = copy != NULL ? split(copy, words) : 0;
		bool quit =
			n == 1 && (strcmp(words[0], "quit") == 0 || strcmp(words[0], "exit") == 0);

		if (n > 0)
			history(hist, &ev, H_ENTER, line);
		if (n > 0 && !quit)
			command_run(cli, words, n);
		free(copy);
		if (quit)
			break;
	}
	el_end(el);
	history_end(hist);
	return CLI_OK;
}
