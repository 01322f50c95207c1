#!/usr/bin/env bash
# Compiles one batch, and file by file where the batch as a whole does not compile.
#
#   compile.sh BATCH.cpp OBJECT COMPILER FLAG...
#
# The object is renamed into place when it is whole, so a build that was killed resumes with the right ones.
set -euo pipefail

batch=$1
object=$2
shift 2

if ! "$@" -c -o "$object.part" "$batch" 2>"$object.log"; then
  parts=()
  while read -r source; do
    part=$object.${#parts[@]}.part
    "$@" -c -o "$part" "$source"
    parts+=("$part")
  done < <(sed -n 's/^#include "\(.*\)"$/\1/p' "$batch")
  ld -r -o "$object.part" "${parts[@]}"
  rm -f "${parts[@]}"
fi
mv "$object.part" "$object"

# How far the whole build is: the objects that exist, of the batches there are.
shopt -s nullglob
objects=("${object%/*}"/*.o)
batches=("${batch%/*}"/*.cpp)
echo "progress ${#objects[@]}/${#batches[@]}"
