/** Saves a file on this device. It goes nowhere else. */
export function download(name: string, content: Blob): void {
  // Of no type that a browser would show instead.
  const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
