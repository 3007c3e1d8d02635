
# The word before the cursor decides: the argument of an option, an option, a verb's verb, or a file.
_polyrank() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} line kind
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$_polyrank_verbs" -- "$word")
        return
    fi
    line=$verb
    [ "$COMP_CWORD" = 2 ] || ! _polyrank_options "$verb ${COMP_WORDS[2]}" >/dev/null || line="$verb ${COMP_WORDS[2]}"
    # --output=DIR comes as three words where '=' breaks words
    if [ "$word" = = ]; then
        word=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if kind=$(_polyrank_argument "$line $before"); then
        _polyrank_reply "$kind" "$word"
        return
    fi
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$(_polyrank_options "$line")" -- "$word") ;;
    *)
        [ "$COMP_CWORD" != 2 ] || mapfile -t COMPREPLY < <(compgen -W "$(_polyrank_words "$verb")" -- "$word")
        case $line in
        devices | cost) [ "$COMP_CWORD" != 2 ] || _polyrank_reply devices "$word" ;;
        "model info") _polyrank_reply models "$word" ;;
        esac
        local files
        mapfile -t files < <(compgen -f -- "$word")
        [ "$COMP_CWORD" = 2 ] && [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY+=("${files[@]}")
        compopt -o filenames 2>/dev/null
        ;;
    esac
}

_polyrank_reply() { # _polyrank_reply KIND WORD
    case $1 in
    dirs)
        mapfile -t COMPREPLY < <(compgen -d -- "$2")
        compopt -o filenames 2>/dev/null
        ;;
    files)
        mapfile -t COMPREPLY < <(compgen -f -- "$2")
        compopt -o filenames 2>/dev/null
        ;;
    keys)
        mapfile -t COMPREPLY < <(compgen -S = -W "$_polyrank_keys" -- "$2")
        compopt -o nospace 2>/dev/null
        ;;
    devices) mapfile -t COMPREPLY < <(compgen -W "$_polyrank_devices" -- "$2") ;;
    models) mapfile -t COMPREPLY < <(compgen -W "$_polyrank_models" -- "$2") ;;
    esac
}

complete -F _polyrank polyrank
