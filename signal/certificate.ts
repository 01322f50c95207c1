/**
 * Takes up a renewed certificate while the server runs.
 *
 * The files are read again now and then, not watched: whoever renews may replace them, or a link to them, in any order. Certificate
 * and key are judged as at the start; while something is wrong the old ones stay, and the log says it, once.
 */
import { ConfigError, type TlsFiles } from './config.ts';

/** Renewals come weeks ahead. */
export const LOOK_MS = 60_000;

export interface CertificateTerms {
  readonly read: () => TlsFiles | null;
  /** New connections get it. @throws where TLS cannot use it */
  readonly use: (files: TlsFiles) => void;
  readonly log: { info(words: string): void; warn(words: string): void };
}

export class Certificate {
  readonly #terms: CertificateTerms;
  #used: TlsFiles;
  #mistake = '';

  constructor(used: TlsFiles, terms: CertificateTerms) {
    this.#used = used;
    this.#terms = terms;
  }

  /** Never throws. */
  look(): void {
    const { read, use, log } = this.#terms;
    try {
      const found = read();
      if (found !== null && (found.cert !== this.#used.cert || found.key !== this.#used.key)) {
        use(found);
        this.#used = found;
        log.info('a new certificate is in use');
      }
      this.#mistake = '';
    } catch (error) {
      const mistake = error instanceof ConfigError ? error.message : 'TLS cannot use the new certificate.';
      if (mistake !== this.#mistake) log.warn(`The old certificate stays in use: ${mistake}`);
      this.#mistake = mistake;
    }
  }
}
