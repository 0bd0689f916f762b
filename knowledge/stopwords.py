"""Words that say nothing about what a question is about, in English and German, folded."""

_ENGLISH = """
a about above after again against ago all also am an and any anyone anything are aren as at be because been
before being below between both but by can cannot could couldn did didn do does doesn doing don done down
during each ever every few for from further get gets give given go goes going got had hadn has hasn have
haven having he her here hers herself him himself his how i if in into is isn it its itself just know let ll
like made make makes many may me mean might mine more most much must my myself no nor not now of off often
on once one only or other our ours ourselves out over own per please re really recall remember said same say
says see shall she should shouldn since so some somebody someone something still such sure take tell than
that the their theirs them themselves then there these they thing things think this those though through
time to too told under until up upon us use used very was wasn we well went were weren what when where
whether which while who whom whose why will with within without won would wouldn yes yet you your yours
yourself ve nowadays today currently kind sort exactly actually
"""

_GERMAN = """
aber alle allem allen aller alles als also am an ander andere auch auf aus bei beim bin bis bist da damit
dann das dass dein deine deinem deinen deiner dem den denn der des deshalb dich die dies diese diesem diesen
dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer eure fur gegen
gehabt gerade gern habe haben hab hat hatte hatten hast hattest hier hin hinter ich ihm ihn ihnen ihr ihre
ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes jetzt kann kannst konnen konnte machen
macht man mein meine meinem meinen meiner mich mir mit muss nach nicht nichts noch nun nur ob oder ohne sehr
sein seine seinem seinen seiner seit sich sie sind so solche soll sollte sondern sonst uber um und uns unser
unsere unter viel vom von vor wahrend wann war waren warst was weg weil weiter welche welchem welchen welcher
welches wenn wer werde werden wie wieder will willst wir wird wirst wo wollen wurde wurden zu zum zur zwar
zwischen heute eigentlich mal denn
"""

_IDLE = """
hi hello hey yo bye goodbye thanks thank thx cheers ok okay yeah yep nope hm hmm haha lol wow welcome sorry
hallo servus moin danke bitte tschuss ciao ja nein ola obrigada obrigado merci gracias
"""

STOP_WORDS = frozenset((_ENGLISH + _GERMAN + _IDLE).split())
