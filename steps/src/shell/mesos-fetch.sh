# Fetches the tarball. A URL is fetched by the first master, which has the better line; tried again, and checked when a digest is
# known. What begins on a line that nobody else reads goes on so. A password goes only to whom the netrc names.
# var url: of the tarball
# var file: where it goes
# var secret: the folder of the netrc, or empty
trap '[ -z "$secret" ] || rm -rf -- "$secret"' EXIT
mkdir -p /var/lib/mesosflow
set -- --fail --location --silent --show-error --retry 5 --retry-connrefused --proto '=http,https'
case $url in https://*) set -- "$@" --proto-redir '=https' ;; esac
[ -z "$secret" ] || set -- "$@" --netrc-file "$secret/.netrc"
curl "$@" --output "$file.new" -- "$url"
mv "$file.new" "$file"
