/*
 * Multipart bodies of INVITE and its answers (RFC 5621): the session's description is in one part
 * and is made anew; others go on as they are where the realm that they go to takes their type, and
 * are left out else. One that must be understood is refused then.
 */
#include "b2bua_priv.h"
#include "multipart.h"

#define BOUNDARY_LEN 32

/* The parts of a message. @return how many; 0: it is no multipart/mixed, negative: a bad one. */
static int parts_of(const struct sip_msg *m, struct multipart_part parts[MULTIPART_PARTS_MAX])
{
	struct str_view value = sip_msg_header(m, SIP_HDR_CONTENT_TYPE, 0);
	struct sip_content_type is;

	/* One look at nearly all of them. */
	if (m->idx.body.len == 0 || value.len == 0 || (value.p[0] | 0x20) != 'm')
		return 0;
	if (sip_content_type_parse(value, &is) != 0 || !sv_eq_nocase(is.type, SV("multipart")) ||
		!sv_eq_nocase(is.subtype, SV("mixed")) ||
		sip_msg_header(m, SIP_HDR_CONTENT_ENCODING, 0).p != NULL)
		return 0;
	return multipart_parse(is.params, sip_msg_view(m, m->idx.body), parts);
}

static bool is_ws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A header that has a word and parameters, perhaps on lines of their own. */
static struct str_view word_of(struct str_view value, struct str_view *params)
{
	const char *semicolon = value.len > 0 ? memchr(value.p, ';', value.len) : NULL;

	*params = (struct str_view){NULL, 0};
	if (semicolon == NULL)
		return value;
	*params = (struct str_view){semicolon, value.len - (size_t)(semicolon - value.p)};
	value.len -= params->len;
	while (value.len > 0 && is_ws(value.p[value.len - 1]))
		value.len--;
	return value;
}

/* It stands there as it is. */
static bool is_plain(const struct multipart_part *p)
{
	static const struct str_view plain[] = {{"binary", 6}, {"8bit", 4}, {"7bit", 4}};
	struct str_view value = multipart_header(p, SV("Content-Transfer-Encoding"));

	if (multipart_header(p, SV("Content-Encoding")).p != NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (value.p == NULL || sv_eq_nocase(value, plain[i]))
			return true;
	return false;
}

/* Of the session: not of an early one (RFC 3959), and not to be looked at. */
static bool is_session(const struct multipart_part *p)
{
	struct str_view params;
	struct str_view word = word_of(multipart_header(p, SV("Content-Disposition")), &params);

	return headers_is_type(
		       multipart_header(p, SV("Content-Type")), SV("application"), SV("sdp")) &&
	       (word.len == 0 || sv_eq_nocase(word, SV("session")));
}

/* RFC 3261 section 20.11: what says nothing must be understood. */
static bool is_required(const struct multipart_part *p)
{
	struct str_view params, how = {NULL, 0};

	(void)word_of(multipart_header(p, SV("Content-Disposition")), &params);
	return !sip_param_find(params, SV("handling"), &how) || !sv_eq_nocase(how, SV("optional"));
}

/* Unread into this realm? What may hold SDP, itself or in parts of its own, may not, nor what is
 * written anew elsewhere. */
static bool passes(const struct config_realm *to, const struct multipart_part *p)
{
	struct str_view value = multipart_header(p, SV("Content-Type"));
	struct sip_content_type is;

	if (value.p == NULL) /* RFC 2046 section 5.1 */
		return config_bodies_have(to, SV("text"), SV("plain"));
	return sip_content_type_parse(value, &is) == 0 && !sv_eq_nocase(is.type, SV("multipart")) &&
	       !headers_is_type(value, SV("application"), SV("sdp")) &&
	       !headers_is_type(value, SV("application"), SV("simple-message-summary")) &&
	       config_bodies_have(to, is.type, is.subtype);
}

enum body_kind parts_find_sdp(const struct sip_msg *m, struct str_view *sdp)
{
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	enum body_kind kind = BODY_NONE;
	int n = parts_of(m, parts);

	*sdp = (struct str_view){NULL, 0};
	if (n <= 0)
		return BODY_OTHER;
	for (int i = 0; i < n; i++) {
		if (!is_session(&parts[i]))
			continue;
		if (kind == BODY_SDP || !is_plain(&parts[i]) || parts[i].body.len == 0)
			return BODY_OTHER;
		kind = BODY_SDP;
		*sdp = parts[i].body;
	}
	return kind;
}

bool parts_pass(const struct config_realm *to, const struct sip_msg *m)
{
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	int n = parts_of(m, parts);

	for (int i = 0; i < n; i++)
		if (!is_session(&parts[i]) && is_required(&parts[i]) &&
			(to == NULL || !passes(to, &parts[i])))
			return false;
	return true;
}

/* Content-ID is left behind: it has a host in it, and what would name it does not cross. */
static void write_part(struct sip_writer *w, const char *boundary, const struct multipart_part *p)
{
	static const struct str_view names[] = {{"Content-Type", 12}, {"Content-Disposition", 19},
		{"Content-Encoding", 16}, {"Content-Transfer-Encoding", 25},
		{"Content-Language", 16}};

	sip_write_fmt(w, "--%s\r\n", boundary);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str_view value = multipart_header(p, names[i]);

		if (value.p != NULL)
			sip_write_header(w, names[i].p, value);
	}
	sip_write_raw(w, SV("\r\n"));
	sip_write_raw(w, p->body);
	sip_write_raw(w, SV("\r\n"));
}

void parts_write(struct b2bua *b, struct sip_writer *w, const struct sip_msg *in,
	const struct config_realm *to, struct str_view sdp)
{
	static const char sdp_head[] = "Content-Type: application/sdp\r\n";
	const struct multipart_part own = {{sdp_head, sizeof(sdp_head) - 1}, sdp};
	struct multipart_part parts[MULTIPART_PARTS_MAX];
	char boundary[BOUNDARY_LEN + 1], type[BOUNDARY_LEN + 32];
	int n = in != NULL ? parts_of(in, parts) : 0, kept = 0;
	struct sip_writer body;

	for (int i = 0; i < n; i++)
		if (!is_session(&parts[i]) && passes(to, &parts[i]))
			parts[kept++] = parts[i];
	if (kept == 0) {
		sip_write_body(w, SV("application/sdp"), sdp);
		return;
	}
	/* Made after all that it must not be found in. */
	sip_random_token(boundary, BOUNDARY_LEN);
	sip_writer_init(&body, b->parts, sizeof(b->parts));
	if (sdp.len > 0)
		write_part(&body, boundary, &own);
	for (int i = 0; i < kept; i++)
		write_part(&body, boundary, &parts[i]);
	sip_write_fmt(&body, "--%s--\r\n", boundary);
	if (sip_writer_finish(&body) < 0) { /* a header that may not be written */
		sip_write_body(w, SV("application/sdp"), sdp);
		return;
	}
	snprintf(type, sizeof(type), "multipart/mixed;boundary=%s", boundary);
	sip_write_raw(w, SV("MIME-Version: 1.0\r\n"));
	sip_write_body(
		w, (struct str_view){type, strlen(type)}, (struct str_view){body.buf, body.len});
}
