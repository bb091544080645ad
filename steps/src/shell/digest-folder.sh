# Prints a digest over the files below a folder, their paths and their modes; nothing where the folder is missing.
# var folder: the folder
cd "$folder" 2>/dev/null || exit 0
{ find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --
find . -type f -printf '%m %p\n' | LC_ALL=C sort
find . -type l -printf '%p %l\n' | LC_ALL=C sort; } | sha256sum | cut -d ' ' -f 1
