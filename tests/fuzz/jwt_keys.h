/* SPDX-License-Identifier: MIT */
/*
 * jwt_keys: public keys of each kind, for fuzz_jwt. Their private halves are with nobody, so no
 * signature is good. A ' stands for a ".
 */
#ifndef TESTS_FUZZ_JWT_KEYS_H
#define TESTS_FUZZ_JWT_KEYS_H

static const char jwt_public_keys[] =
	"{'keys':[{'kty':'RSA','n':'mC2_GsMKqvuvqmEcuHgYIP1TkMj9EVdcIPFY0DwOkwcN2m7aKBZfq04wh"
	"uxAdupzD1PPhPQvSbIrI3pgZnXH5p0_HHB2oxwErf1whSJWAQILIiu_WNQG8GLvHT3tV5WksbWrAhYNWP8Z8"
	"2ags4W5pjQfOdITEwuyxKn_LEAzcSpjdcVLtB0gBttuzBDZUWfrWlGBzq9G8nr53-QUE9ha-lcp-WTpJiT9K"
	"ZRoUUwTEeRDftMdbxksbE4JinLJ49LGspk2joeBZ64mYNxi2VtQZtv5Uk4Ug2SPLJbPRxvXiYpvTPZlEzsmb"
	"iqpHlwx9WAxmKNszAX4c0248oVWfvJdSQ','e':'AQAB','kid':'r'},{'kty':'EC','x':'UlMne2YMJQ"
	"PXmgUg9lLUL4yKkdAlVKdDMf93yaViR78','y':'B4zydTCwXkYZ_L_YI6co82rMXlqHFaYQVj_wozOfOVA'"
	",'crv':'P-256','alg':'ES256','kid':'e'},{'kty':'EC','x':'DP7GzaCrjouLm5J2BboKI6q4Rg-"
	"hhCVf81VHLQtW97CmkTJ8u3Npd95MHawTc7y-','y':'MzVskkL-wKjstHBQmsGhP40aPEvV4-Q8BFmHqb0v"
	"CYUYdX38KDuOJWWZXVR7MUqa','crv':'P-384','alg':'ES384','kid':'f'},{'crv':'Ed25519','x"
	"':'j2GkL_ES2a-zSvFJ0OejW-F-thFjGk1PbjJZdly2BBU','kty':'OKP','alg':'EdDSA','kid':'o'}"
	"]}";

#endif
