/*
 * Whatever three forks and a caller say to each other, in any order: nothing crashes, no name
 * crosses, and when all is over nothing is left. Seeds are fixed, so that each run is the same.
 */
#include "lab.h"

#define SEEDS 1000
#define STEPS 60
#define FORKS 3

static uint32_t seed;

static unsigned int draw(unsigned int below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 10) % below;
}

static const char *pick_sdp(unsigned int side)
{
	static const char *const sdp[] = {OUTSIDE_SDP, INSIDE_SDP};

	return draw(3) == 0 ? NULL : draw(20) == 0 ? "v=7\r\n" : sdp[side];
}

static const char *pick_extra(void)
{
	static const char *const extra[] = {NULL, "Supported: 100rel, timer\r\n",
		"Require: 100rel\r\n", "Session-Expires: 120;refresher=uas\r\nSupported: timer\r\n",
		"Allow: INVITE, UPDATE\r\n", "Allow: INVITE\r\n",
		"Session-Expires: 100;refresher=uac\r\n", "Min-SE: 500\r\n"};

	return extra[draw(ARRAY_LEN(extra))];
}

/* One of the last messages to this side that begin so; NULL: none. */
static const char *some(unsigned int side, const char *begins)
{
	const char *found = NULL;

	for (unsigned int i = lab.n_msgs; i > 0; i--) {
		const struct lab_msg *m = &lab.msg[i - 1];

		if (m->side != side || strncmp(m->text, begins, strlen(begins)) != 0)
			continue;
		found = m->text;
		if (draw(3) != 0)
			break;
	}
	return found;
}

/* A request that this side got, answered somehow. */
static void answer_some(struct ua *u)
{
	static const char *const methods[] = {"INVITE ", "UPDATE ", "PRACK ", "BYE ", "CANCEL "};
	static const unsigned int statuses[] = {
		200, 200, 200, 100, 405, 408, 422, 481, 488, 491, 500};
	const char *req = some(u->side, methods[draw(ARRAY_LEN(methods))]);

	if (req != NULL)
		ua_respond(u, req, statuses[draw(ARRAY_LEN(statuses))], pick_sdp(u->side),
			pick_extra());
}

static void ring(struct ua *u, const char *invite, uint32_t *rseq)
{
	char extra[64];

	snprintf(extra, sizeof(extra), "Require: 100rel\r\nRSeq: %u\r\n", ++*rseq);
	ua_respond(u, invite, draw(2) ? 180 : 183, pick_sdp(INSIDE), draw(2) ? extra : NULL);
}

static void prack(struct ua *u)
{
	const char *progress = some(OUTSIDE, "SIP/2.0 18");
	char rack[64];

	if (progress == NULL)
		return;
	ua_learn(u, progress);
	snprintf(rack, sizeof(rack), "RAck: %s 1 INVITE\r\n", lab_header(progress, "RSeq"));
	ua_request(u, "PRACK", ++u->cseq, pick_sdp(OUTSIDE), rack);
}

static void caller_acts(struct ua *u)
{
	static const char *const methods[] = {"UPDATE", "INVITE", "UPDATE", "INVITE", "BYE"};
	const char *ok = some(OUTSIDE, "SIP/2.0 200");

	switch (draw(8)) {
	case 0:
	case 1:
		prack(u);
		break;
	case 2:
	case 3:
		if (ok != NULL)
			ua_learn(u, ok);
		ua_request(u, "ACK", draw(2) ? 1 : u->cseq, pick_sdp(OUTSIDE), NULL);
		break;
	case 4:
		if (draw(6) == 0)
			ua_request(u, "CANCEL", 1, NULL, NULL);
		break;
	case 5:
		answer_some(u);
		break;
	default:
		if (u->remote_tag[0] != '\0')
			ua_request(u, methods[draw(ARRAY_LEN(methods))], ++u->cseq,
				pick_sdp(OUTSIDE), pick_extra());
	}
}

static void fork_acts(struct ua *u, const char *invite, uint32_t *rseq)
{
	static const char *const methods[] = {"UPDATE", "INVITE", "UPDATE", "ACK", "BYE"};
	static const unsigned int refusals[] = {302, 422, 486, 503};

	switch (draw(8)) {
	case 0:
	case 1:
	case 2:
		ring(u, invite, rseq);
		break;
	case 3:
		ua_respond(u, invite, 200, pick_sdp(INSIDE), pick_extra());
		break;
	case 4:
		if (draw(6) == 0)
			ua_respond(u, invite, refusals[draw(4)], NULL, pick_extra());
		break;
	case 5:
	case 6:
		answer_some(u);
		break;
	default:
		ua_request(u, methods[draw(ARRAY_LEN(methods))], ++u->cseq, pick_sdp(INSIDE),
			pick_extra());
	}
}

static void play(void)
{
	struct ua caller = ua_caller(&lab, "bob"), fork[FORKS];
	uint32_t rseq[FORKS] = {10, 20, 30};
	const char *invite;

	ua_request(&caller, "INVITE", 1, pick_sdp(OUTSIDE), pick_extra());
	invite = some(INSIDE, "INVITE ");
	if (invite == NULL)
		return;
	for (unsigned int i = 0; i < FORKS; i++)
		fork[i] = ua_callee(&lab, invite);
	for (unsigned int step = 0; step < STEPS; step++) {
		unsigned int who = draw(FORKS + 3);

		if (who < FORKS)
			fork_acts(&fork[who], invite, &rseq[who]);
		else
			caller_acts(&caller);
		if (draw(3) == 0)
			lab_run(&lab, draw(4) == 0 ? draw(40000) : draw(400));
	}
}

static void test_storm(void **state)
{
	for (unsigned int i = 1; i <= SEEDS; i++) {
		lab_init(&lab);
		for (unsigned int side = 0; side < 2; side++)
			lab.realms[side].session = (struct config_session){1800, 90};
		for (unsigned int peer = 0; peer < ARRAY_LEN(lab.peers); peer++)
			lab.peers[peer].session = (struct config_session){draw(2) * 600, 90};
		lab.peers[0].redirect_follow = true;
		seed = i * 2654435761u;
		play();
		b2bua_stop(lab.b2bua);
		lab_run(&lab, 200000);
		lab_fini(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
