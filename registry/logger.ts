/** What a registry says of itself, on stderr: one JSON object a line. */
import { type Logger, pino } from 'pino';

/** Bytes that wait for a log that cannot be written; what is beyond goes untold. */
const WAITING_BYTES = 1024 * 1024;

/** A log whose disk is full, or whose reader is gone, ends nothing. */
export function openLogger(level: string): Logger {
  const lines = pino.destination({ dest: 2, sync: true, maxLength: WAITING_BYTES });
  lines.on('error', () => undefined);
  return pino({ level, redact: ['req.headers.authorization', 'token'] }, lines);
}
