#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc_socket.h"

int path_make_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[256];

	if (slash == NULL || slash == path)
		return 0;
	if ((size_t)(slash - path) >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* A socket file that nobody serves is left over from a crash: remove it. */
static int stale_remove(const char *path, const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (unlink(path) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int rpc_socket_listen(const char *path, char *why, size_t why_size)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = -1, rc = -ENAMETOOLONG;

	if (strlen(path) >= sizeof(sa.sun_path))
		goto fail;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	rc = path_make_parent(path);
	if (rc == 0)
		rc = stale_remove(path, &sa);
	if (rc < 0)
		goto fail;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the unbound socket is the mode of its file: at no time wider. */
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		listen(fd, 16) < 0) {
		rc = -errno;
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	if (rc == -EADDRINUSE)
		snprintf(why, why_size,
			"another sallyport-control serves %s; stop it, or set ops.control_socket",
			path);
	else
		snprintf(why, why_size, "cannot listen at %s: %s; set ops.control_socket", path,
			strerror(-rc));
	return rc;
}

bool rpc_socket_peer_allowed(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid();
}
