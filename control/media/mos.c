#include "mos.h"

#define PACKET_MS 20.0

/*
 * Delay impairment without echo: G.107 section 7.4 (Idd) by the two straight lines of
 * R. Cole and J. Rosenbluth, "Voice over IP performance monitoring", ACM SIGCOMM CCR 31(2),
 * 2001, which are within 2 points of it up to 400 ms.
 */
static double delay_impairment(double delay_ms)
{
	double id = 0.024 * delay_ms;

	return delay_ms > 177.3 ? id + 0.11 * (delay_ms - 177.3) : id;
}

/* G.107 section 7.5: Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl); random loss, BurstR 1.
 */
static double equipment_impairment(const struct codec *codec, double loss_percent)
{
	double ie = codec->ie, bpl = codec->loss_robustness / 10.0;

	return ie + (95.0 - ie) * loss_percent / (loss_percent + bpl);
}

double mos_rating(const struct mos_input *in)
{
	const struct codec *codec = in->codec;

	if (codec == NULL || !codec->speech)
		codec = codec_static(0);
	/* G.107 section 7.7: 93.2 is what the default values of all else come to. */
	return 93.2 - delay_impairment(in->delay_ms) -
	       equipment_impairment(codec, in->loss_percent);
}

double mos_from_rating(double r)
{
	double mos;

	if (r <= 0)
		return 1.0;
	if (r >= 100)
		return 4.5;
	mos = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
	/* The cubic dips below 1 for ratings up to 6.5. */
	return mos < 1.0 ? 1.0 : mos;
}

double mos_estimate(const struct codec *codec, double loss_percent, double jitter_ms)
{
	const struct mos_input in = {
		.codec = codec,
		.loss_percent = loss_percent,
		.delay_ms = PACKET_MS + 2.0 * jitter_ms,
	};

	return mos_from_rating(mos_rating(&in));
}
