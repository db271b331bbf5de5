// SPDX-License-Identifier: MIT
// A PDF of one page with a few words, and a picture of so many bytes that no page shows: a reader
// that seeks passes it by.
import { randomBytes } from 'node:crypto';

export function heavyPdf(bytes, words) {
	const text = `BT /F1 12 Tf 72 720 Td (${words.replace(/[()\\]/g, '\\$&')}) Tj ET`;
	const objects = ['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
		'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R ' +
		'/Resources << /Font << /F1 5 0 R >> >> >>',
		`<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
		'<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'];
	const picture = [Buffer.from(`6 0 obj\n<< /Length ${bytes} >>\nstream\n`), randomBytes(bytes),
		Buffer.from('\nendstream\nendobj\n')];
	const parts = [Buffer.from('%PDF-1.7\n')];
	const places = [];
	let at = parts[0].length;
	for (const part of [...objects.map((o, i) => Buffer.from(`${i + 1} 0 obj\n${o}\nendobj\n`)),
		Buffer.concat(picture)]) {
		places.push(at);
		at += part.length;
		parts.push(part);
	}
	const lines = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
	parts.push(Buffer.from(`xref\n0 7\n0000000000 65535 f \n${lines}` +
		`trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n${at}\n%%EOF\n`));
	return Buffer.concat(parts);
}
