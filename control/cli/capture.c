/*
 * "sally capture": the filter is compiled here, in tcpdump's language, so that neither
 * process has to parse it.
 */
#include <pcap/pcap.h>

#include "bpf_check.h"
#include "cli.h"

#define FILTER_TEXT_MAX 1024

/* Words joined by blanks. @return false when they are too long. */
static bool words_join(const char *const words[], unsigned int n, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned int i = 0; i < n; i++) {
		int more = snprintf(out + len, size - len, "%s%s", i > 0 ? " " : "", words[i]);

		if (more < 0 || (size_t)more >= size - len)
			return false;
		len += (size_t)more;
	}
	return true;
}

static json_t *program_json(const struct bpf_program *program)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *s = &program->bf_insns[i];

		json_array_append_new(list, json_pack("[i, i, i, I]", (int)s->code, (int)s->jt,
						    (int)s->jf, (json_int_t)s->k));
	}
	return list;
}

/* @return the program, NULL with a line on stderr. */
static json_t *filter_compile(const char *text)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;
	json_t *list = NULL;

	if (pcap == NULL) {
		fputs("sally: out of memory\n", stderr);
		return NULL;
	}
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		fprintf(stderr, "sally: filter \"%s\": %s; see pcap-filter(7)\n", text,
			pcap_geterr(pcap));
	} else if (program.bf_len > BPF_STEPS_MAX) {
		fprintf(stderr, "sally: the filter has %u steps, at most %d are possible\n",
			program.bf_len, BPF_STEPS_MAX);
		pcap_freecode(&program);
	} else {
		list = program_json(&program);
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	return list;
}

static int ask(struct cli *cli, const char *method, json_t *params)
{
	char why[512];
	json_t *result = client_ask(cli->socket, method, params, why, sizeof(why));

	if (result == NULL) {
		fprintf(stderr, "sally: %s\n", why);
		return CLI_REFUSED;
	}
	json_decref(result);
	return CLI_OK;
}

/* The state of the capture, after it was changed. */
static int status(struct cli *cli)
{
	const char *const words[] = {"show", "capture"};

	return command_run(cli, words, ARRAY_LEN(words));
}

static int start(struct cli *cli, const char *const words[], unsigned int n)
{
	char text[FILTER_TEXT_MAX];
	json_t *params = json_object(), *filter;
	int rc;

	if (!words_join(words, n - 1, text, sizeof(text))) {
		fputs("sally: the filter is too long\n", stderr);
		json_decref(params);
		return CLI_USAGE;
	}
	json_object_set_new(params, "file", json_string(words[n - 1]));
	if (text[0] != '\0') {
		filter = filter_compile(text);
		if (filter == NULL) {
			json_decref(params);
			return CLI_USAGE;
		}
		json_object_set_new(params, "filter", filter);
	}
	rc = ask(cli, "capture_start", params);
	return rc == CLI_OK ? status(cli) : rc;
}

int capture_run(struct cli *cli, const char *const words[], unsigned int n)
{
	int rc;

	if (n >= 2 && strcmp(words[0], "start") == 0)
		return start(cli, words + 1, n - 1);
	if (n == 1 && strcmp(words[0], "stop") == 0) {
		rc = ask(cli, "capture_stop", NULL);
		return rc == CLI_OK ? status(cli) : rc;
	}
	fputs("sally: only \"capture start [FILTER] FILE\" and \"capture stop\" are known; see "
	      "\"sally help\"\n",
		stderr);
	return CLI_USAGE;
}
