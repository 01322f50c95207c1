/**
 * Sealed files over HTTP, below `/api/blobs`: put there by tus 1.0 (tus.io/protocols/resumable-upload, creation and nothing else of its
 * extensions), fetched by ranges. Immutable once whole. The server sees a length, and whose meeting it is.
 *
 *     POST   /api/blobs      Upload-Length, Upload-Metadata: erase BASE64(SHA-256 of the token that deletes it, as base64url)  → 201, Location
 *     HEAD   /api/blobs/ID   → Upload-Offset
 *     PATCH  /api/blobs/ID   Upload-Offset, application/offset+octet-stream  → 204, Upload-Offset
 *     GET    /api/blobs/ID   Range: bytes=FIRST-LAST  → 206
 *     DELETE /api/blobs/ID   Parley-Erase: token  → 204
 *
 * Each with `Authorization: Bearer` and a pass of `chat.pass`. Errors are problem+json.
 */
import { fixedBytesText } from './ids.ts';

export const BLOBS_PATH = '/api/blobs';
/** Header with the token that deletes. */
export const ERASE_HEADER = 'parley-erase';
/** Of one, sealed: a file of 100 MiB, with a tag for each 64 KiB of it, and what goes before. */
export const MAX_BLOB_BYTES = 101 * 1024 * 1024;

/** 16 bytes, drawn by the server. */
export const BlobId = fixedBytesText(16);
