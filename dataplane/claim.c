/*
 * A claim is a bound UNIX socket in the abstract namespace: it has the scope of the
 * interfaces (the network namespace), and the kernel ends it with the process, however
 * that dies.
 */
#include "claim.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "dataplane_config.h"
#include "log.h"

static int claims[API_PORTS_MAX];
static unsigned int n_claims;

/* The kernel interface or PCI address behind a device string; empty: nothing that two could take
 * (a file, memory). */
static struct str_view device_key(const char *device)
{
	static const char key[] = ",iface=";
	const char *p = strstr(device, key);

	if (p != NULL) {
		p += sizeof(key) - 1;
		return (struct str_view){p, strcspn(p, ",")};
	}
	if (strncmp(device, "net_", 4) == 0)
		return (struct str_view){device, 0};
	/* "17:00.0" is "0000:17:00.0". */
	if (strncmp(device, "0000:", 5) == 0)
		device += 5;
	return (struct str_view){device, strcspn(device, ",")};
}

/* @return a descriptor or negative errno. */
static int claim_open(struct str_view key)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, n;

	/* The first byte stays zero: no file. Longer than any interface's name is cut. */
	n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "sallyport-dataplane/%.*s",
		(int)(key.len < 64 ? key.len : 64), key.p);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&sa,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int claims_init(const struct dataplane_config *config)
{
	for (unsigned int i = 0; i < config->ports_count; i++) {
		const struct dataplane_port_config *p = &config->ports[i];
		struct str_view key = device_key(p->device);
		int fd;

		if (key.len == 0)
			continue;
		fd = claim_open(key);
		if (fd < 0) {
			log_error(fd == -EADDRINUSE
					  ? "port %s: '%.*s' is in use by another port or another "
					    "dataplane: stop that, or give this port another device"
					  : "port %s: cannot claim '%.*s'",
				p->name, SV_ARG(key));
			claims_fini();
			return fd;
		}
		claims[n_claims++] = fd;
	}
	return 0;
}

void claims_fini(void)
{
	while (n_claims > 0)
		close(claims[--n_claims]);
}
