"""Who belongs to a population: lists of ids out of the directory, held as hashes; and the directory's own count.

Here belongs how lists are asked for, how long they hold, and the table in which a user's membership is looked up.
Nothing here knows a report. No name is asked for, and no id outlives the page that brought it.
"""
