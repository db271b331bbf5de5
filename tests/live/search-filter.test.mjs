// SPDX-License-Identifier: MIT
// What metadata filters mean to a Postgres, against what include/tenantgate/retrieval/search_filter.h
// says that they mean, written here once more: many documents, many filters of a fixed seed. The
// database sorts strings by a language's rules, which must not matter.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { built, Stack } from './lib/stack.mjs';

const FILTERS = Number(process.env.SEARCH_FILTERS ?? 1500);
const DOCUMENTS = 300;
const stack = new Stack('search-filter');
let documents;

// ---- what a filter means ----

const isScalar = (v) => v === null || typeof v !== 'object';
const byCodePoints = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function order(a, b) {		// NaN where one is not above, below or equal to the other
	if (typeof a !== typeof b || !['number', 'string'].includes(typeof a))
		return NaN;
	return typeof a === 'number' ? a - b : byCodePoints(a, b);
}

const compare = {
	eq: (stored, value) => stored === value,
	in: (stored, values) => values.includes(stored),
	lt: (stored, value) => order(stored, value) < 0,
	lte: (stored, value) => order(stored, value) <= 0,
	gt: (stored, value) => order(stored, value) > 0,
	gte: (stored, value) => order(stored, value) >= 0,
};

function holds(metadata, name, operator, value) {
	const there = Object.hasOwn(metadata, name);
	if (operator === 'exists')
		return there === value;
	if (operator === 'ne' || operator === 'nin')
		return !holds(metadata, name, operator === 'ne' ? 'eq' : 'in', value);
	const stored = there ? [metadata[name]].flat() : [];
	return stored.some((one) => isScalar(one) && compare[operator](one, value));
}

function matches(metadata, filter) {
	if (filter.type !== undefined && filter.filters !== undefined)
		return filter.filters[filter.type === 'and' ? 'every' : 'some']((f) => matches(metadata, f));
	if (filter.type !== undefined && filter.key !== undefined)
		return holds(metadata, filter.key, filter.type, filter.value);
	return Object.entries(filter).every(([name, value]) => {
		if (name === 'and')
			return value.every((f) => matches(metadata, f));
		if (name === 'or')
			return value.some((f) => matches(metadata, f));
		if (name === 'not')
			return !matches(metadata, value);
		if (isScalar(value))
			return holds(metadata, name, 'eq', value);
		return Object.entries(value).every(([op, v]) => holds(metadata, name, op, v));
	});
}

// ---- documents and filters ----

function random(seed) {		// mulberry32
	return () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

const rnd = random(20261128);
const pick = (list) => list[Math.floor(rnd() * list.length)];
const some = (n, one) => Array.from({ length: Math.floor(rnd() * (n + 1)) }, one);

// U+FFEE is above U+1F600 in UTF-16, and below it by code points.
const strings = ['', 'a', 'B', 'b', 'Z', 'é', 'e', '\uffee', '\u{1f600}', '10', '9', 'true', 'null',
	"it's", '"', '\\', '\\u0041', '\u2028', '\u0001', "'; drop table document; --", '$1', '%s', '2020',
	' 2020', '{}', '["a"]', 'x'.repeat(300)];
const numbers = [0, -0, 1, 2, 9, 10, -3, 2020, 0.1, 0.2, 0.1 + 0.2, 0.7, 1.5, 1e21, 1e-7, 5e-324, 1.1e300,
	Number.MAX_VALUE, 123456789012345680, Number.MAX_SAFE_INTEGER];
const names = ['a', 'b', 'year', '', "it's", 'a.b', 'é', 'x"y', '$1', 'constructor', '__proto__', 'type'];
const scalar = () => pick([() => pick(strings), () => pick(strings), () => pick(numbers),
	() => pick(numbers), () => rnd() < 0.5, () => null])();
const bound = () => (rnd() < 0.5 ? pick(strings) : pick(numbers));

function stored() {
	const dice = rnd();
	if (dice < 0.65)
		return scalar();
	if (dice < 0.9)
		return some(4, () => (rnd() < 0.8 ? scalar() : pick([['a'], [1], { a: 'a' }, {}, [], [[1]]])));
	return pick([{}, { a: 1 }, { a: { a: 'a' } }, [['a'], [1]], { 0: 'a' }]);
}

// Not an object literal: "__proto__" is a name as any other.
const object = (pairs) => Object.fromEntries(pairs);
const metadata = () => object(some(8, () => [pick(names), stored()]));

function operand(operator) {
	if (operator === 'exists')
		return rnd() < 0.5;
	if (operator === 'in' || operator === 'nin')
		return [scalar(), ...some(5, scalar)];
	return operator === 'eq' || operator === 'ne' ? scalar() : bound();
}

const operators = ['eq', 'ne', 'in', 'nin', 'lt', 'lte', 'gt', 'gte', 'exists'];

function comparison() {
	const name = pick(names), operator = pick(operators);
	if (rnd() < 0.3)
		return { type: operator, key: rnd() < 0.1 ? pick(['and', 'not', 'key']) : name,
			value: operand(operator) };
	if (rnd() < 0.2)
		return object([[name, scalar()]]);
	return object([[name, object([operator, ...some(1, () => pick(operators))]
		.map((op) => [op, operand(op)]))]]);
}

function someFilter(depth = 0) {
	const dice = rnd();
	if (depth === 3 || dice < 0.3)
		return comparison();
	const list = () => [someFilter(depth + 1), ...some(2, () => someFilter(depth + 1))];
	if (dice < 0.55)
		return { type: pick(['and', 'or']), filters: list() };
	return object([...some(2, () => [pick(names.slice(0, -1)), scalar()]),
		dice < 0.7 ? ['not', someFilter(depth + 1)] : [pick(['and', 'or']), list()]]);
}

// As jansson writes numbers, with 17 digits.
const as17 = (value) => {
	if (typeof value === 'number' && !Number.isInteger(value))
		return value.toPrecision(17);
	if (Array.isArray(value))
		return `[${value.map(as17).join()}]`;
	return isScalar(value) ? JSON.stringify(value) : `{${Object.entries(value)
		.map(([k, v]) => `${JSON.stringify(k)}:${as17(v)}`).join()}}`;
};

// ---- asking ----

const literal = (text) => `'${text.replaceAll("'", "''")}'`;

function read(texts) {
	const ran = spawnSync(built('tests/live/filter_print'), [], { input: `${texts.join('\n')}\n`,
		maxBuffer: 1 << 28 });
	assert.equal(ran.status, 0, String(ran.stderr));
	const lines = String(ran.stdout).trimEnd().split('\n').map((line) => JSON.parse(line));
	assert.equal(lines.length, texts.length);
	return lines;
}

// For each filter the ids of those it matches.
function ask(filters, setting) {
	const file = join(stack.dir, 'filters.sql');
	const read_ = read(filters.map((f) => JSON.stringify(f)));
	writeFileSync(file, [`set plan_cache_mode = ${setting};`,
		...read_.flatMap(({ sql, values, detail }) => {
			assert.ok(sql, detail);
			return [`prepare f (jsonb) as select '#' || coalesce(string_agg(d.id, ',' order by ` +
				`d.id::int), '') from public.document d where ${sql};`,
			`execute f (${literal(values)});`, 'deallocate f;'];
		})].join('\n'));
	const ran = spawnSync('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d',
		stack.pg.url('sorted'), '-f', file], { maxBuffer: 1 << 28 });
	assert.equal(ran.status, 0, String(ran.stderr));
	const rows = String(ran.stdout).trimEnd().split('\n');
	assert.equal(rows.length, filters.length);
	return rows.map((row) => row.slice(1));
}

const expected = (filter) => documents.flatMap((m, id) => (matches(m, filter) ? [id] : [])).join();

before(async () => {
	await stack.postgres();
	await stack.sql("create database sorted template template0 locale_provider icu icu_locale 'en-US' " +
		"encoding 'UTF8'");
	documents = Array.from({ length: DOCUMENTS }, metadata);
	const file = join(stack.dir, 'documents.sql');
	writeFileSync(file, ['create table public.document (id text primary key, metadata jsonb not null);',
		...documents.map((m, id) => `insert into public.document values ('${id}', ` +
			`${literal(id % 2 ? as17(m) : JSON.stringify(m))});`)].join('\n'));
	const ran = spawnSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', stack.pg.url('sorted'), '-f',
		file]);
	assert.equal(ran.status, 0, String(ran.stderr));
});
after(() => stack.stop());

test('the database would sort strings another way', async () => {
	const [[above]] = await stack.sql("select 'B' > 'a'", 'sorted');
	assert.equal(above, 't');
	assert.ok(byCodePoints('B', 'a') < 0);
});

for (const setting of ['force_custom_plan', 'force_generic_plan'])
	test(`filters match what they say: ${setting}`, () => {
		const filters = Array.from({ length: FILTERS / 2 }, () => someFilter());
		const found = ask(filters, setting);
		filters.forEach((filter, i) => assert.equal(found[i], expected(filter),
			JSON.stringify(filter)));
		// Neither all nor nothing, as a rule: what is compared must differ.
		const mixed = found.filter((ids) => ids !== '' && ids.split(',').length < DOCUMENTS);
		assert.ok(mixed.length > FILTERS / 8, `${mixed.length} of ${found.length}`);
	});

test('each operator of each name, of each value', () => {
	const filters = ['a', 'year'].flatMap((name) => [
		...['eq', 'ne', 'in', 'nin'].flatMap((op) => [...strings, ...numbers, true, false, null]
			.map((v) => ({ [name]: { [op]: op.endsWith('n') ? [v] : v } }))),
		...['lt', 'lte', 'gt', 'gte'].flatMap((op) => [...strings, ...numbers]
			.map((v) => ({ [name]: { [op]: v } }))),
		{ [name]: { exists: true } }, { [name]: { exists: false } }]);
	const found = ask(filters, 'auto');
	filters.forEach((filter, i) => assert.equal(found[i], expected(filter), JSON.stringify(filter)));
});

test('integers beyond what a double holds are compared exactly', async () => {
	await stack.sql(`insert into public.document values ('900', '{"n": 9007199254740993}'), ` +
		`('901', '{"n": 9007199254740992}')`, 'sorted');
	const [{ sql, values }] = read(['{"n": {"gt": 9007199254740992}}']);
	const rows = await stack.sql(`prepare f (jsonb) as select id from public.document d where ${sql}; ` +
		`execute f (${literal(values)})`, 'sorted');
	await stack.sql("delete from public.document where id in ('900', '901')", 'sorted');
	assert.deepEqual(rows, [['900']]);
});

test('hostile filters are refused, and say why', () => {
	const nested = (n, text = '{"a":1}') => '{"not":'.repeat(n) + text + '}'.repeat(n);
	const cases = [
		[`{"or":[${'{"a":1},'.repeat(10000)}{"a":1}]}`, 'invalid_field', /more than 100 conditions/],
		[`{"a":{"in":[${'1,'.repeat(10000)}1]}}`, 'invalid_field', /more than 1000 values/],
		[`{"and":[${'{"or":['.repeat(60)}{"a":1}${']}'.repeat(60)}]}`, 'invalid_json', /nested deeper/],
		[nested(30), 'invalid_field', /nested deeper than 8/],
		[`{"a":"${'x'.repeat(20000)}"}`, 'invalid_field', /more than 16384 bytes/],
		[`{"${'x'.repeat(20000)}":1}`, 'invalid_field', /more than 16384 bytes/],
		['{"a":"\\u0000"}', 'invalid_json', /NUL/],
		['{"a\\u0000":1}', 'invalid_json', /NUL/],
		['{"a":"\\ud800"}', 'invalid_json', /./],
		['{"a":1e999}', 'invalid_json', /./],
		['{"a":123456789012345678901234567890}', 'invalid_json', /./],
		['{"a":1,"a":2}', 'invalid_json', /twice/],
		[`{"${'é'.repeat(200)}":{"like":1}}`, 'invalid_field', /must be one of the operators/],
	];
	read(cases.map(([text]) => text)).forEach(({ code, detail }, i) => {
		assert.equal(code, cases[i][1], `${cases[i][0].slice(0, 80)}: ${detail}`);
		assert.match(detail, cases[i][2]);
		assert.match(detail, /\.$/);
		assert.ok(Buffer.byteLength(detail) < 256);
	});
});

// Each the worst of its kind for the server.
test('the largest that are taken', async () => {
	const filters = [
		{ or: Array.from({ length: 99 }, (_, i) => ({ [`n${i}`]: { gt: 0.1 } })) },
		{ year: { in: Array.from({ length: 1000 }, (_, i) => i + 0.1) } },
		{ year: { lt: '\u0001'.repeat(16000) } },
	];
	const found = ask(filters, 'force_generic_plan');
	filters.forEach((filter, i) => assert.equal(found[i], expected(filter)));
});
