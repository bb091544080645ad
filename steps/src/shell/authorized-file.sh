# Where the lines of ours are.
# sets file: the user's authorized_keys
# sets ours: what the lines of ours match
# needs user: whose file it is
# needs owner: cluster and run, as the comments of the keys say
file=$(getent passwd "$user" | cut -d : -f 6)/.ssh/authorized_keys
file=$(readlink -f "$file")
ours=" mesosflow-(nodes|volume) $owner\$"
