/*
 * One question to the control socket: JSON-RPC 2.0, one line there and one back.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"

#define ANSWER_MAX (64u << 20) /* bytes */
#define ANSWER_TIMEOUT_S 10

static int socket_open(const char *path, char *why, size_t why_size)
{
	const struct timeval tv = {.tv_sec = ANSWER_TIMEOUT_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(why, why_size, "the socket path has more than %zu characters",
			sizeof(sa.sun_path) - 1);
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		return fd;
	}
	if (errno == EACCES || errno == EPERM)
		snprintf(why, why_size,
			"no permission for %s: run sally as root or as sallyport-control's user",
			path);
	else
		snprintf(why, why_size, "cannot reach sallyport-control at %s: is it running?",
			path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Read up to the end of the line. Caller frees; NULL: closed, timeout or too long. */
static char *line_read(int fd, size_t *len)
{
	size_t cap = 65536;
	char *buf = malloc(cap);

	*len = 0;
	while (buf != NULL) {
		ssize_t n = recv(fd, buf + *len, cap - *len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*len += (size_t)n;
		if (buf[*len - 1] == '\n')
			return buf;
		if (*len == cap) {
			char *more = cap < ANSWER_MAX ? realloc(buf, cap * 2) : NULL;

			if (more == NULL)
				break;
			buf = more;
			cap *= 2;
		}
	}
	free(buf);
	return NULL;
}

static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

/* The result out of an answer; takes ownership of it. */
static json_t *answer_result(json_t *answer, char *why, size_t why_size)
{
	json_t *result = json_object_get(answer, "result");
	const char *message =
		json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	json_incref(result);
	if (result == NULL) {
		snprintf(why, why_size, "%s",
			message != NULL ? message
					: "sallyport-control gave no answer that can be read");
		clean(why);
	}
	json_decref(answer);
	return result;
}

json_t *client_ask(
	const char *socket_path, const char *method, json_t *params, char *why, size_t why_size)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o*}", "jsonrpc", "2.0", "id", 1, "method",
		method, "params", params);
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	json_t *answer = NULL;
	bool answered;
	size_t len;
	int fd;

	json_decref(request);
	fd = text != NULL ? socket_open(socket_path, why, why_size) : -1;
	if (fd < 0) {
		free(text);
		return NULL;
	}
	if (send_all(fd, text, strlen(text)) == 0 && send_all(fd, "\n", 1) == 0)
		line = line_read(fd, &len);
	answered = line != NULL;
	if (answered)
		answer = json_loadb(line, len, 0, NULL);
	else
		snprintf(why, why_size, "sallyport-control at %s did not answer in time",
			socket_path);
	free(text);
	free(line);
	close(fd);
	return answered ? answer_result(answer, why, why_size) : NULL;
}
