# Puts standard input in place of the lines of ours. The file is replaced as a whole, with its owner and mode: there is no moment
# at which somebody is shut out.
# var user: whose file it is
# var owner: cluster and run, as the comments of the keys say
# after authorized-file
lines=$(cat)
cp --archive -- "$file" "$file.mesosflow"
{ grep --extended-regexp --invert-match "$ours" "$file" || [ $? = 1 ]; printf '%s\n' "$lines"; } > "$file.mesosflow"
mv -- "$file.mesosflow" "$file"
