/**
 * What the server says once it answers: where, and for whom.
 *
 * Browsers give camera and microphone to secure contexts only: https, or localhost (W3C Secure Contexts §3.1). So addresses for
 * others, and the code to scan, are shown only where they are of use.
 */
import { renderUnicodeCompact } from 'uqr';
import { findLanAddress, isLoopback } from './address.ts';
import type { Config } from './config.ts';

type Listening = Pick<Config, 'host' | 'port' | 'tls' | 'publicUrl'>;

export function greeting(config: Listening, lanAddress: string | null = findLanAddress()): string {
  const scheme = config.tls ? 'https' : 'http';
  const lines = [`Parley is ready: ${scheme}://${ownName(config.host)}:${config.port}`];
  const address = addressForOthers(config, scheme, lanAddress);
  if (address !== null && address.startsWith('https:')) {
    lines.push(`For others: ${address}`, '', renderUnicodeCompact(address, { border: 2 }), '');
  } else if (config.tls) {
    lines.push(
      isLoopback(config.host)
        ? 'It answers this machine alone. PARLEY_HOST=0.0.0.0 lets others in.'
        : `Others reach it by this machine’s name or address, on port ${config.port}. PARLEY_PUBLIC_URL shows it here.`,
    );
  } else {
    lines.push(
      'Others cannot use their cameras here: browsers allow it over HTTPS and on localhost only. See PARLEY_TLS_CERT and PARLEY_PUBLIC_URL in --help.',
    );
  }
  return `${lines.join('\n')}\n`;
}

function addressForOthers(config: Listening, scheme: string, lanAddress: string | null): string | null {
  if (config.publicUrl !== null) return config.publicUrl;
  if (isLoopback(config.host)) return null;
  const host = isAny(config.host) ? lanAddress : config.host;
  return host === null ? null : `${scheme}://${bracketed(host)}:${config.port}`;
}

function ownName(host: string): string {
  return isAny(host) || isLoopback(host) ? 'localhost' : bracketed(host);
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
