#!/bin/sh
# Put a configuration file in place without ever losing an administrator's change, or take it away again.
#   install_config.sh SHIPPED TARGET PRISTINE            SHIPPED is copied to PRISTINE, and to TARGET unless edited
#   install_config.sh --remove SHIPPED TARGET PRISTINE   TARGET goes when it is what was shipped
# "Edited" means: differs from the copy in PRISTINE that the last installation left.
set -eu

remove=no
if [ "$1" = --remove ]; then
    remove=yes
    shift
fi
shipped=$1 target=$2 pristine=$3

edited() {
    [ -e "$target" ] || [ -L "$target" ] || return 1
    ! cmp -s "$target" "$pristine" && ! cmp -s "$target" "$shipped"
}

if [ "$remove" = yes ]; then
    if edited; then
        echo "  KEPT    $target (edited)"
    else
        rm -f "$target" "$target.new"
    fi
    rm -f "$pristine"
    exit 0
fi

# An administrator who deleted a file we once shipped wants it gone.
if [ ! -e "$target" ] && [ -e "$pristine" ]; then
    install -D -m 0644 "$shipped" "$pristine"
    exit 0
fi
if edited; then
    # Once for each new version: when the administrator has merged it and removed FILE.new, it does not come back.
    if ! cmp -s "$shipped" "$pristine"; then
        install -m 0644 "$shipped" "$target.new"
        install -D -m 0644 "$shipped" "$pristine"
        echo "  KEPT    $target (edited); the new version is $target.new"
    fi
    exit 0
fi
install -D -m 0644 "$shipped" "$target"
install -D -m 0644 "$shipped" "$pristine"
rm -f "$target.new"
