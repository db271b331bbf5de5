// SPDX-License-Identifier: MIT
// A psql that stays, for a test that asks often: a question costs a millisecond, not a process.
import { spawn } from 'node:child_process';

const END = '-- end of the rows --';

export class SqlSession {
	constructor(url) {
		this.text = '';
		this.child = spawn('psql', ['-X', '-A', '-t', '-q', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', url],
			{ stdio: ['pipe', 'pipe', 'inherit'] });
		this.child.stdout.setEncoding('utf8');
		this.child.stdout.on('data', (piece) => {
			this.text += piece;
			this.look();
		});
		this.child.on('exit', () => this.waiting?.reject(new Error('psql has ended')));
	}

	look() {
		const at = this.text.indexOf(`${END}\n`);
		if (at < 0 || !this.waiting)
			return;
		const rows = this.text.slice(0, at);
		this.text = this.text.slice(at + END.length + 1);
		this.waiting.resolve(rows);
		this.waiting = null;
	}

	// The rows as one text. One question at a time.
	ask(sql) {
		return new Promise((resolve, reject) => {
			this.waiting = { resolve, reject };
			this.child.stdin.write(`${sql};\n\\echo ${END}\n`);
		});
	}

	end() {
		this.waiting = null;
		this.child.stdin.end();
	}
}
