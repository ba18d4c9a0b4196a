/*
 * Multipart bodies of INVITE and its answers: the SDP in them is that of the call, and other parts
 * go where their type is taken, are left out where they may be, or have the INVITE refused.
 */
#include "lab.h"
#include "b2bua_priv.h"

#define MIXED "Content-Type: multipart/mixed;boundary=\"outside b\"\r\nMIME-Version: 1.0\r\n"
#define PART(headers, body) "--outside b\r\n" headers "\r\n" body "\r\n"
#define END "--outside b--\r\n"
#define SDP_PART PART("Content-Type: application/SDP;x=y\r\n", OUTSIDE_SDP)
#define TEXT PART("Content-Type: text/plain;charset=utf-8\r\nContent-ID: <1@outside>\r\n", "tea")
#define ISUP(handling) \
	PART("Content-Type: application/isup;version=itu\r\n" \
	     "Content-Disposition: signal" handling "\r\n", \
		"\1\2")

/* One header of an INVITE that a part has, too, is not the message's. */
static struct ua call_with(const char *body)
{
	struct ua u = ua_caller(&lab, "bob");

	ua_request(&u, "INVITE", 1, body, MIXED);
	return u;
}

/* The part of this type in a message to the callee's side or the caller's; "" if there is none. */
static const char *part_of(const char *msg, const char *type)
{
	static char out[4096];
	const char *value = lab_header(msg, "Content-Type"), *boundary = strstr(value, "boundary=");
	char line[128];
	const char *at, *end;

	out[0] = '\0';
	if (boundary == NULL)
		return out;
	snprintf(line, sizeof(line), "--%s\r\nContent-Type: %s", boundary + 9, type);
	at = strstr(lab_body(msg), line);
	if (at == NULL)
		return out;
	at += strlen(boundary + 9) + 4;
	snprintf(line, sizeof(line), "\r\n--%s", boundary + 9);
	end = strstr(at, line);
	assert_non_null(end);
	snprintf(out, sizeof(out), "%.*s", (int)(end - at), at);
	return out;
}

static void is_sdp_alone(const char *msg)
{
	assert_string_equal(lab_header(msg, "Content-Type"), "application/sdp");
	assert_string_equal(lab_header(msg, "MIME-Version"), "");
	assert_int_equal(strncmp(lab_body(msg), "v=0\r\n", 5), 0);
}

static void refused(struct ua *u)
{
	const char *resp = lab_expect(&lab, OUTSIDE, "SIP/2.0 415");

	assert_string_equal(lab_header(resp, "Accept"), "application/sdp, multipart/mixed");
	ua_request(u, "ACK", 1, NULL, NULL);
	lab_expect_none(&lab, INSIDE);
}

static void end_call(struct ua *caller, const char *invite)
{
	struct ua callee = ua_callee(&lab, invite);

	ua_respond(&callee, invite, 486, NULL, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 486");
	ua_request(caller, "ACK", 1, NULL, NULL);
}

static void test_left_out(void **state)
{
	static const char *const bodies[] = {
		SDP_PART END,
		"preamble\r\n" SDP_PART END "epilogue",
		SDP_PART ISUP(";handling=optional") END,
		ISUP(";x=y;Handling=OPTIONAL") SDP_PART END,
		/* Of another session (RFC 3959), and one that hides it. */
		SDP_PART PART("Content-Type: application/sdp\r\n"
			      "Content-Disposition: early-session;handling=optional\r\n",
			OUTSIDE_SDP) END,
		SDP_PART PART("Content-Type: multipart/mixed;boundary=c\r\n"
			      "Content-Disposition: session;handling=optional\r\n",
			"--c\r\nContent-Type: application/sdp\r\n\r\n" OUTSIDE_SDP "\r\n--c--") END,
	};

	snprintf(lab.realms[INSIDE].bodies[0], CONFIG_BODY_LEN, "multipart/*");
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct ua u = call_with(bodies[i]);
		const char *invite = lab_expect(&lab, INSIDE, "INVITE ");

		is_sdp_alone(invite);
		assert_null(strstr(invite, "\1\2"));
		end_call(&u, invite);
	}
}

static void test_passed(void **state)
{
	struct ua u = call_with(SDP_PART TEXT END), callee;
	const char *invite = lab_expect(&lab, INSIDE, "INVITE "), *ok;

	assert_int_equal(
		strncmp(lab_header(invite, "Content-Type"), "multipart/mixed;boundary=", 25), 0);
	assert_string_equal(lab_header(invite, "MIME-Version"), "1.0");
	assert_string_equal(
		part_of(invite, "text/plain"), "Content-Type: text/plain;charset=utf-8\r\n\r\ntea");
	assert_non_null(strstr(part_of(invite, "application/sdp"), "c=IN IP4 10.0.0.1\r\n"));
	/* And back: what is not taken there is left out of an answer in any case. */
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 183,
		"--x\r\nContent-Type: application/sdp\r\n\r\n" INSIDE_SDP
		"\r\n--x\r\nContent-Type: application/isup\r\n\r\n\3\4\r\n--x--",
		"Content-Type: multipart/mixed;boundary=x\r\n");
	is_sdp_alone(lab_expect(&lab, OUTSIDE, "SIP/2.0 183"));
	ua_respond(&callee, invite, 200,
		"--x\r\nContent-Type: application/sdp\r\n\r\n" INSIDE_SDP
		"\r\n--x\r\nContent-Type: text/plain\r\n\r\nmilk\r\n--x--",
		"Content-Type: multipart/mixed;boundary=x\r\n");
	lab_expect(&lab, INSIDE, "ACK ");
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	assert_string_equal(part_of(ok, "text/plain"), "Content-Type: text/plain\r\n\r\nmilk");
	assert_non_null(strstr(part_of(ok, "application/sdp"), "c=IN IP4 192.0.2.1\r\n"));
	ua_learn(&u, ok);
	ua_request(&u, "ACK", 1, NULL, NULL);
	lab_run(&lab, 10);
	assert_int_equal(lab.n_streams, 2);
	lab_hang_up(&lab, &u, &callee);
}

/* A word whose parameters stand on the next line is the same word. */
static void test_folded(void **state)
{
	struct ua u = call_with(PART("Content-Type: application/sdp\r\n"
				     "Content-Disposition: session \r\n ;handling=required\r\n",
		OUTSIDE_SDP) END);
	const char *invite = lab_expect(&lab, INSIDE, "INVITE ");

	is_sdp_alone(invite);
	end_call(&u, invite);
}

/* By the list of the realm that it goes to. */
static void test_required(void **state)
{
	static const char *const handling[] = {"", ";handling=required", ";handling=x"};

	for (size_t i = 0; i < ARRAY_LEN(handling); i++) {
		char body[2048];
		const char *invite;
		struct ua u;

		snprintf(body, sizeof(body),
			SDP_PART "--outside b\r\nContent-Type: application/isup\r\n"
				 "Content-Disposition: signal%s\r\n\r\n\1\2\r\n" END,
			handling[i]);
		u = call_with(body);
		refused(&u);
		snprintf(lab.realms[INSIDE].bodies[0], CONFIG_BODY_LEN, "application/isup");
		u = call_with(body);
		invite = lab_expect(&lab, INSIDE, "INVITE ");
		assert_non_null(strstr(part_of(invite, "application/isup"), "\r\n\r\n\1\2"));
		end_call(&u, invite);
		config_bodies_default(&lab.realms[INSIDE]);
	}
}

/* Nothing that the box can read, or a description that must not be looked past. */
static void test_bad(void **state)
{
	static const char *const bodies[] = {
		"x",
		SDP_PART,
		END,
		SDP_PART SDP_PART END,
		SDP_PART TEXT TEXT TEXT TEXT TEXT TEXT TEXT TEXT END,
		PART("Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n",
			"dj0wDQo=") END,
		PART("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "x") END,
		PART("Content-Type: application/sdp\r\n", "") END,
		PART("Content-Type: application/sdp\r\nContent-Disposition: render\r\n",
			OUTSIDE_SDP) END,
		PART("Content-Type: multipart/related;boundary=c\r\n", "--c\r\n\r\nx\r\n--c--") END,
	};

	snprintf(lab.realms[INSIDE].bodies[0], CONFIG_BODY_LEN, "*/*");
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct ua u = call_with(bodies[i]);

		refused(&u);
	}
	{
		struct ua u = ua_caller(&lab, "bob");

		ua_request(&u, "INVITE", 1, SDP_PART END,
			"Content-Type: multipart/alternative;boundary=\"outside b\"\r\n");
		refused(&u);
	}
}

/* Parts, and none of them is SDP: the callee makes the offer, and the ACK has the answer in parts.
 */
static void test_late_offer(void **state)
{
	struct ua u = call_with(TEXT END), callee;
	const char *invite = lab_expect(&lab, INSIDE, "INVITE "), *ok;

	assert_non_null(strstr(part_of(invite, "text/plain"), "tea"));
	assert_string_equal(part_of(invite, "application/sdp"), "");
	callee = ua_callee(&lab, invite);
	ua_respond(&callee, invite, 200, INSIDE_SDP, NULL);
	ok = lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	is_sdp_alone(ok);
	ua_learn(&u, ok);
	ua_request(&u, "ACK", 1, ISUP("") SDP_PART END, MIXED);
	is_sdp_alone(lab_expect(&lab, INSIDE, "ACK "));
	lab_run(&lab, 10);
	assert_int_equal(lab.n_streams, 2);
	lab_hang_up(&lab, &u, &callee);
}

static void test_inside_a_call(void **state)
{
	struct ua u, callee;
	const char *req;

	lab_establish(&lab, &u, &callee);
	ua_request(&u, "INVITE", ++u.cseq, SDP_PART TEXT END, MIXED);
	req = lab_expect(&lab, INSIDE, "INVITE ");
	assert_non_null(strstr(part_of(req, "text/plain"), "tea"));
	ua_respond(&callee, req, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, INSIDE, "ACK ");
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	ua_request(&u, "ACK", u.cseq, NULL, NULL);
	ua_request(&u, "INVITE", ++u.cseq, SDP_PART ISUP("") END, MIXED);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 415");
	ua_request(&u, "ACK", u.cseq, NULL, NULL);
	/* UPDATE takes none along. */
	ua_request(&u, "UPDATE", ++u.cseq, SDP_PART TEXT END, MIXED);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 415");
	ua_request(&u, "UPDATE", ++u.cseq, SDP_PART ISUP(";handling=optional") END, MIXED);
	req = lab_expect(&lab, INSIDE, "UPDATE ");
	is_sdp_alone(req);
	ua_respond(&callee, req, 200, INSIDE_SDP, NULL);
	lab_expect(&lab, OUTSIDE, "SIP/2.0 200");
	lab_hang_up(&lab, &u, &callee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_CASE(test_left_out),
		LAB_CASE(test_passed),
		LAB_CASE(test_folded),
		LAB_CASE(test_required),
		LAB_CASE(test_bad),
		LAB_CASE(test_late_offer),
		LAB_CASE(test_inside_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
