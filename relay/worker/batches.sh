#!/usr/bin/env bash
# Sorts the worker's sources into batches, each compiled as one: most of a compiler's time goes into the same headers,
# read anew for every one of the 258 files.
#
#   batches.sh WORKER_FOLDER BUILD_FOLDER    writes BUILD_FOLDER/batch/*.cpp and BUILD_FOLDER/fixed/
#
# A batch ends at a change of library, or where it would exceed LINES. Files named in apart.txt go into batches of their
# own (see there). A batch that does not compile is compiled file by file (compile.sh), so another version of the
# package may make the build slower, never wrong. A file whose content is the same is not written again: make resumes.
set -euo pipefail

worker=$1
build=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# About 20 batches: few enough to save the headers, many enough for some cores and for progress that moves.
LINES=4500

mkdir -p "$build/batch" "$build/fixed/RTC" "$build/new"

# The worker's BIO callback answers 1 to every BIO_ctrl() (it compares with BIO_CB_RETURN where it has to mask), so to
# BIO_get_ktls_send() too. A libssl with kernel TLS, as Debian's, then makes no write buffer, and the first DTLS
# handshake crashes. The package stays as it is: the fix goes into a copy. Should that line change, grep says so.
fixed=src/RTC/DtlsTransport.cpp
sed 's/(operationType == BIO_CB_RETURN)/((operationType \& BIO_CB_RETURN) != 0)/' "$worker/$fixed" >"$build/new/fixed.cpp"
grep -q 'operationType & BIO_CB_RETURN' "$build/new/fixed.cpp" || {
  echo "$fixed has changed: look at the fix in relay/worker/batches.sh" >&2
  exit 1
}
cmp -s "$build/new/fixed.cpp" "$build/fixed/RTC/DtlsTransport.cpp" ||
  cp "$build/new/fixed.cpp" "$build/fixed/RTC/DtlsTransport.cpp"
rm "$build/new/fixed.cpp"

# The lists stand in the package's own meson.build files, so another version of the package brings its own.
sources() {
  grep -oE "^ +'src/[^']+\.cpp'" "$worker/meson.build" | tr -d "' " | sort -u
  echo src/main.cpp
  grep -oE "'libwebrtc/[^']+\.cc'" "$worker/deps/libwebrtc/meson.build" | tr -d "'" | sed 's,^,deps/libwebrtc/,' | sort -u
}

# The group of each file in apart.txt comes first, then lines and path of each source, in order.
{ grep -v '^#' "$here/apart.txt" && cd "$worker" && sources | xargs wc -l | grep -v ' total$'; } |
  awk -v worker="$worker" -v build="$build" -v most="$LINES" -v fixed="$fixed" '
    $1 ~ /^[a-z]/ { group[$2] = $1; next }
    {
      if ($2 in group) {
        batch = "apart-" group[$2]
      } else {
        library = $2 ~ /^deps/ ? "webrtc" : "worker"
        size[library] += $1
        if (!(library in number) || size[library] > most) { number[library]++; size[library] = $1 }
        batch = sprintf("%s-%02d", library, number[library])
      }
      path = $2 == fixed ? build "/fixed/RTC/DtlsTransport.cpp" : worker "/" $2
      printf "#include \"%s\"\n#undef MS_CLASS\n", path > (build "/new/" batch ".cpp")
    }'

for old in "$build"/batch/*.cpp; do
  [ -e "$build/new/${old##*/}" ] || rm -f "$old"
done
for new in "$build"/new/*.cpp; do
  cmp -s "$new" "$build/batch/${new##*/}" || cp "$new" "$build/batch/${new##*/}"
done
rm -r "$build/new"
