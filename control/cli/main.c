/*
 * sally: the command line of Sallyport.
 */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "config.h"

#define WORDS_MAX 16

static unsigned int terminal_width(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0)
		return 0;
	return ws.ws_col;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *words[WORDS_MAX];
	struct cli cli = {.socket = getenv("SALLYPORT_SOCKET"), .out = stdout};
	unsigned int n = 0;
	int o;

	if (cli.socket == NULL || cli.socket[0] == '\0')
		cli.socket = CONFIG_CONTROL_SOCKET_DEFAULT;
	while ((o = getopt_long(argc, argv, "s:jhV", options, NULL)) != -1) {
		switch (o) {
		case 's':
			cli.socket = optarg;
			break;
		case 'j':
			cli.json = true;
			break;
		case 'h':
			command_help(stdout);
			return CLI_OK;
		case 'V':
			printf("sally %s\n", SALLYPORT_VERSION);
			return CLI_OK;
		default:
			fprintf(stderr, "sally: see \"sally help\"\n");
			return CLI_USAGE;
		}
	}
	cli.width = terminal_width();
	/* Of the locale only its character set is wanted: numbers look the same everywhere. */
	cli.utf8 = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	for (; optind < argc && n < WORDS_MAX; optind++)
		words[n++] = argv[optind];
	if (n > 0)
		return command_run(&cli, words, n);
	if (isatty(STDIN_FILENO))
		return shell_run(&cli);
	command_help(stderr);
	return CLI_USAGE;
}
