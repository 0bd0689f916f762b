"""Irregular English verbs: the forms that a stemmer does not bring together."""

_FORMS = """
beat beaten; become became; begin began begun; bend bent; bet; bleed bled; blow blew blown; break broke
broken; breed bred; bring brought; build built; burn burnt; buy bought; catch caught; choose chose chosen;
cling clung; come came; creep crept; deal dealt; dig dug; draw drew drawn; dream dreamt; drink drank drunk;
drive drove driven; eat ate eaten; fall fell fallen; feed fed; feel felt; fight fought; find found; flee
fled; fly flew flown; forbid forbade forbidden; forget forgot forgotten; forgive forgave forgiven; freeze
froze frozen; grow grew grown; hang hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt;
know knew known; lean leant; learn learnt; lend lent; light lit; lose lost; meet met; pay paid; ride rode
ridden; ring rang rung; run ran; seek sought; sell sold; send sent; shake shook shaken; shine shone; shoot
shot; show shown; shrink shrank shrunk; sing sang sung; sink sank sunk; sit sat; sleep slept; slide slid;
smell smelt; speak spoke spoken; spend spent; spin spun; stand stood; steal stole stolen; stick stuck; sting
stung; strike struck; swear swore sworn; sweep swept; swim swam swum; swing swung; take took taken; teach
taught; tear tore torn; tell told; think thought; throw threw thrown; understand understood; wake woke
woken; wear wore worn; weave wove woven; weep wept; win won; write wrote written
"""

GROUPS = [tuple(group.split()) for group in _FORMS.split(";")]
_OF = {form: group for group in GROUPS for form in group}
_ENDINGS = (("ing", ""), ("ing", "e"), ("s", ""), ("es", ""))


def forms(word: str) -> tuple[str, ...]:
    """All forms of a folded word that a stemmer takes for different words; itself alone when regular."""
    if group := _OF.get(word):
        return group
    for ending, instead in _ENDINGS:
        base = word.removesuffix(ending) + instead
        if word.endswith(ending) and base in _OF:
            return (word, *(form for form in _OF[base] if form != word))
    return (word,)
